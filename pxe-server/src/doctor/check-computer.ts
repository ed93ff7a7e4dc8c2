import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { debianLoaders } from '../boot/loader-name.ts';
import type { ServedInterface } from '../site/served-interface.ts';
import type { WantedTool } from './check-hook-plans.ts';
import { type Finding, problem, warning, well } from './finding.ts';

/** Numbers of capabilities in linux/capability.h. */
const capabilities = { CAP_NET_BIND_SERVICE: 10, CAP_NET_RAW: 13 } as const;

/** @param status text of /proc/self/status @param portStart of net.ipv4.ip_unprivileged_port_start */
export function judgePrivileges(status: string, portStart: number): Finding[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (name: keyof typeof capabilities) => ((effective >> BigInt(capabilities[name])) & 1n) === 1n;
  const findings: Finding[] = [];
  if (!has('CAP_NET_BIND_SERVICE') && portStart > 67) {
    findings.push(
      problem(
        'privileges',
        'This user may not open the ports 67 and 69.',
        'Run it as root, or with CAP_NET_BIND_SERVICE (`rekindle init --systemd` makes such a service).',
      ),
    );
  }
  if (!has('CAP_NET_RAW')) {
    findings.push(
      warning(
        'privileges',
        'This user may not send ARP: nobody notices when a station’s address is used by another machine.',
        'Run it as root, or with CAP_NET_RAW.',
      ),
    );
  }
  return findings.length > 0 ? findings : [well('privileges', 'Low ports and ARP are allowed.')];
}

export function checkPrivileges(): Finding[] {
  const portStart = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  return judgePrivileges(readFileSync('/proc/self/status', 'utf8'), portStart);
}

/** The cable, as the kernel sees it. */
export function checkLink({ name, address }: ServedInterface): Finding {
  const read = (file: string) => {
    try {
      return readFileSync(join('/sys/class/net', name, file), 'utf8').trim();
    } catch {
      // `carrier` cannot be read while the interface is down.
      return '';
    }
  };
  if (read('carrier') !== '1') {
    // IFF_UP of linux/if.h.
    const isOn = (Number(read('flags')) & 1) === 1;
    return isOn
      ? problem(
          'interfaces',
          `${name} (${address}) has no link: nothing answers at the other end of its cable.`,
          'Plug in the cable; check the switch and its port.',
        )
      : problem('interfaces', `${name} (${address}) is switched off.`, `ip link set ${name} up`);
  }
  const speed = Number(read('speed'));
  const rate = speed > 0 ? `, ${speed} Mbit/s` : '';
  if (speed > 0 && speed < 1000) {
    return warning(
      'interfaces',
      `${name} (${address}) has a link of ${speed} Mbit/s: restores take long.`,
      'Check cable and switch port.',
    );
  }
  return well('interfaces', `${name} (${address}) has a link${rate}.`);
}

/** Programs that the service starts, and the Debian package of each. */
const tools = [
  ['ip', 'iproute2', 'problem'],
  ['perl', 'perl-base', 'problem'],
  ['openssl', 'openssl', 'problem'],
  ['zstd', 'zstd', 'problem'],
  ['arp-scan', 'arp-scan', 'warning'],
  ['tcpdump', 'tcpdump', 'warning'],
] as const;

/** @param wanted by the hook plans of this site, besides what every site needs */
export function checkTools(
  wanted: readonly WantedTool[] = [],
  path: string = process.env['PATH'] ?? '',
): Finding[] {
  // Not everybody's PATH has them.
  const folders = [...path.split(':'), '/usr/sbin', '/sbin'];
  const isThere = (name: string) => folders.some((folder) => isReadable(join(folder, name)));
  const all = [
    ...tools,
    ...wanted.map(({ command, debianPackage, verdict }) => [command, debianPackage, verdict] as const),
  ];
  const findings = all
    .filter(([name]) => !isThere(name))
    .map(([name, debianPackage, verdict]): Finding => {
      return {
        check: 'packages',
        verdict,
        sentence: `The program ${name} is missing.`,
        next: `apt-get install ${debianPackage}`,
      };
    });
  for (const [path, debianPackage] of Object.values(debianLoaders)) {
    if (isReadable(path)) continue;
    findings.push(problem('packages', `The loader ${path} is missing.`, `apt-get install ${debianPackage}`));
  }
  if (findings.length > 0) return findings;
  return [well('packages', `Everything is installed: ${all.map(([name]) => name).join(', ')}, all loaders.`)];
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
