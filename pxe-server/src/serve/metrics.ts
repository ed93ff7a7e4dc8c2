import type { DhcpEvent } from '../dhcp/dhcp-event.ts';
import type { TftpEvent } from '../tftp/tftp-event.ts';

/** Labels of one sample, in the order in which they are printed; the same names for all samples of a counter. */
type Labels = Readonly<Record<string, string>>;

const counters = {
  rekindle_dhcp_messages_total: 'DHCP messages, by what became of them',
  rekindle_tftp_transfers_total: 'TFTP requests, by their outcome',
  rekindle_tftp_bytes_total: 'Bytes of files sent whole by TFTP',
  rekindle_http_requests_total: 'Requests for boot files, by status',
} as const;
type CounterName = keyof typeof counters;

/** What the service counts since it started; nothing says which machine it was. */
export interface Metrics {
  count(name: CounterName, labels?: Labels, by?: number): void;
  /** Prometheus text exposition format 0.0.4. */
  format(): string;
}

export function createMetrics(): Metrics {
  const samples = new Map<CounterName, Map<string, { readonly labels: Labels; value: number }>>();
  return {
    count(name, labels = {}, by = 1) {
      const series = samples.get(name) ?? new Map();
      samples.set(name, series);
      // Every packet is counted: the labels are formatted when somebody asks.
      const key = Object.values(labels).join('\0');
      const sample = series.get(key) ?? { labels, value: 0 };
      series.set(key, sample);
      sample.value += by;
    },
    format() {
      const lines = Object.entries(counters).flatMap(([name, help]) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} counter`,
        ...Array.from(
          samples.get(name as CounterName)?.values() ?? [],
          ({ labels, value }) => `${name}${formatLabels(labels)} ${value}`,
        ),
      ]);
      const { user, system } = process.cpuUsage();
      const gauges = [
        ['process_cpu_seconds_total', 'counter', (user + system) / 1e6],
        ['process_resident_memory_bytes', 'gauge', process.memoryUsage.rss()],
        ['process_start_time_seconds', 'gauge', Date.now() / 1000 - process.uptime()],
      ].flatMap(([name, type, value]) => [`# TYPE ${name} ${type}`, `${name} ${value}`]);
      return `${[...lines, ...gauges].join('\n')}\n`;
    },
  };
}

/** Values of ours are plain words; a quote or a line break in one would break the whole page. */
function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

export function countDhcpEvent(metrics: Metrics, event: DhcpEvent): void {
  if (event.event === 'listening') return;
  const request = 'request' in event && event.request !== undefined ? event.request : 'unknown';
  const outcome = event.event === 'replied' ? event.reply : event.event;
  metrics.count('rekindle_dhcp_messages_total', { request, outcome });
}

export function countTftpEvent(metrics: Metrics, event: TftpEvent): void {
  if (event.event === 'listening') return;
  const outcome = event.event === 'finished' ? event.outcome.kind : event.event;
  metrics.count('rekindle_tftp_transfers_total', { outcome });
  if (event.event === 'finished' && (outcome === 'done' || outcome === 'unconfirmed')) {
    metrics.count('rekindle_tftp_bytes_total', {}, event.bytes);
  }
}
