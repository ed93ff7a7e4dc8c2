import { errorChain } from '#base/errors.ts';
import type { Configuration } from '../config/configuration.ts';
import { noteOtherServer } from '../dhcp/other-servers.ts';
import { type FoundServer, probeDhcpServers } from '../dhcp/probe-servers.ts';
import type { ServedInterface } from '../site/served-interface.ts';
import type { State } from '../site/state.ts';
import type { ReadinessProblem } from './check-readiness.ts';
import type { Logger } from './log.ts';

const everyMs = 3_600_000;

export interface DhcpServerWatch {
  readonly served: readonly ServedInterface[];
  readonly configuration: Configuration;
  readonly state: State;
  readonly log: Logger;
  readonly onWarning: (warning: ReadinessProblem) => void;
}

/** Asks at once and then every hour, in the background. @returns stops it */
export function watchDhcpServers(watch: DhcpServerWatch): () => void {
  const stopping = new AbortController();
  const ask = async () => {
    for (const each of watch.served) {
      try {
        const found = await probeDhcpServers(each, { signal: stopping.signal });
        for (const server of found) {
          noteOtherServer(watch.state, server.address, `it answered us on ${each.name}`);
          watch.log.info({ ...server, interface: each.name }, 'another dhcp server');
        }
        const warning = judgeDhcpServers(watch.configuration.dhcp.mode, each, found);
        if (warning !== undefined) watch.onWarning(warning);
      } catch (error) {
        if (stopping.signal.aborted) return;
        watch.log.warn(
          { interface: each.name, reasons: errorChain(error) },
          'asking for dhcp servers failed',
        );
      }
    }
  };
  void ask();
  const timer = setInterval(() => void ask(), everyMs).unref();
  return () => {
    clearInterval(timer);
    stopping.abort();
  };
}

/** What the servers that answered on a network mean for the mode in which we run there; undefined: as it should be. */
export function judgeDhcpServers(
  mode: 'proxy' | 'reservation',
  { name }: Pick<ServedInterface, 'name'>,
  found: readonly FoundServer[],
): ReadinessProblem | undefined {
  const list = (servers: readonly FoundServer[]) => servers.map(({ address }) => address).join(', ');
  const booting = found.filter(({ bootFile }) => bootFile !== undefined);
  if (booting.length > 0) {
    return {
      problem: `On ${name} another server tells machines what to boot: ${list(booting)}. Stations may follow it instead of Rekindle.`,
      next: 'Remove its boot file (options 66 and 67), or its PXE role.',
    };
  }
  const offering = found.filter(({ offers }) => offers !== undefined);
  if (mode === 'reservation' && offering.length > 0) {
    return {
      problem: `On ${name} another DHCP server gives addresses too: ${list(offering)}. Stations that take its offer do not boot.`,
      next: 'Set dhcp.mode: proxy in rekindle.yaml, or take the other server off this network.',
    };
  }
  if (mode === 'proxy' && offering.length === 0) {
    return {
      problem: `On ${name} no DHCP server gives addresses, and in proxy mode Rekindle gives none: stations cannot boot.`,
      next: 'Check the DHCP server of this network, or set dhcp.mode: reservation in rekindle.yaml.',
    };
  }
  return undefined;
}
