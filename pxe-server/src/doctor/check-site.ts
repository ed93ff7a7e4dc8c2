import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { freeBytesOf, judgeFreeSpace } from '../serve/check-free-space.ts';
import type { ServedInterface } from '../site/served-interface.ts';
import { readServedKernel } from '../site/served-kernel.ts';
import type { SitePaths } from '../site/site-paths.ts';
import { packFile, readPackManifest, universalPack } from '../stations/station-pack.ts';
import { type Finding, problem, warning, well } from './finding.ts';

const dayMs = 86_400_000;
/** Nothing of this project is older; a clock that says so was never set. */
const firstDay = Date.UTC(2026, 0, 1);
/** Debian's kernels get security fixes far more often. */
const runtimeDays = 180;
/** The state and the reports are small; without this much a report may be lost. */
const siteBytes = 256 * 2 ** 20;

/** @param synchronised undefined: nobody on this computer knows */
export function judgeClock(now: number, synchronised: boolean | undefined): Finding {
  const time = new Date(now).toISOString();
  if (now < firstDay) {
    return problem(
      'clock',
      `The clock says ${time}: it was never set.`,
      'Set it: timedatectl set-time, or an NTP server.',
    );
  }
  if (synchronised === false) {
    return warning(
      'clock',
      `The clock says ${time} and nothing keeps it right; reports carry its time.`,
      'timedatectl set-ntp true, with an NTP server that this network reaches.',
    );
  }
  return well('clock', `The clock says ${time}${synchronised === true ? ', kept by NTP' : ''}.`);
}

/** Dates of CA and server certificate, and whether the server's is of this CA. */
export async function checkCertificates(paths: SitePaths, now = Date.now()): Promise<Finding[]> {
  try {
    const [ca, server] = [
      new X509Certificate(await readFile(paths.caCertificate)),
      new X509Certificate(await readFile(paths.serverCertificate)),
    ];
    if (!server.verify(ca.publicKey)) {
      return [
        problem(
          'certificates',
          'The server’s certificate is not of this site’s CA: no runtime trusts it.',
          `Put both back from one copy of the site folder, or make new ones: ${newCertificates}`,
        ),
      ];
    }
    return [judgeDates('site CA', ca, now), judgeDates('server', server, now)];
  } catch {
    return [
      problem(
        'certificates',
        `${paths.caCertificate} or ${paths.serverCertificate} is no certificate that can be read.`,
        `Put both back from one copy of the site folder, or make new ones: ${newCertificates}`,
      ),
    ];
  }
}

const newCertificates = 'remove site-ca.crt and server.crt, then rekindle init and rekindle runtime build.';
/** `2099-12-31`, UTC. */
const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

function judgeDates(what: string, { validFrom, validTo }: X509Certificate, now: number): Finding {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const next = `Check the clock; otherwise make new ones: ${newCertificates}`;
  const dates = `from ${dayOf(from)} to ${dayOf(to)}`;
  if (now < from || now > to) {
    return problem('certificates', `The certificate of the ${what} is not valid now, but ${dates}.`, next);
  }
  if (to - now < 90 * dayMs) {
    return warning('certificates', `The certificate of the ${what} ends soon, on ${dayOf(to)}.`, next);
  }
  return well('certificates', `The certificate of the ${what} is valid ${dates}.`);
}

/** Age of the runtime, and packs that were built for another kernel than the one that is served. */
export async function checkRuntime(
  paths: SitePaths,
  stations: readonly string[],
  now = Date.now(),
): Promise<Finding[]> {
  const info = await stat(paths.runtimeImage).catch(() => undefined);
  // That it is missing is said by what the service itself checks.
  if (info === undefined) return [];
  const kernel = await readServedKernel(paths).catch(() => undefined);
  if (kernel === undefined) {
    return [
      problem(
        'runtime',
        `Which kernel is served cannot be read from ${paths.kernelRecord}: no driver pack can be checked or built.`,
        'Build it again: rekindle runtime build',
      ),
    ];
  }
  const days = Math.floor((now - info.mtimeMs) / dayMs);
  const findings: Finding[] = [
    days > runtimeDays
      ? warning(
          'runtime',
          `Kernel and runtime are ${days} days old (kernel ${kernel.version}).`,
          'Build them with Debian’s fixes: rekindle runtime build --newest.',
        )
      : well('runtime', `Kernel ${kernel.version} and runtime are of ${dayOf(info.mtimeMs)}.`),
  ];
  for (const name of [universalPack, ...stations]) {
    const manifest = await readPackManifest(paths, name).catch(() => undefined);
    if (manifest === undefined || manifest.kernel === kernel.version) continue;
    findings.push(
      problem(
        'runtime',
        `${packFile(paths, name)} has drivers of kernel ${manifest.kernel}, and ${kernel.version} is served: none of them loads.`,
        `rekindle driver-pack build ${name}`,
      ),
    );
  }
  return findings;
}

/** Space for images, and for what the service writes itself. */
export async function checkDiskSpace(paths: SitePaths, store: string): Promise<Finding[]> {
  const site = await freeBytesOf(paths.folder);
  const images = await freeBytesOf(store).catch(() => undefined);
  const findings: Finding[] = [];
  if (site < siteBytes) {
    findings.push(
      problem(
        'disk space',
        `The site folder ${paths.folder} has ${Math.floor(site / 2 ** 20)} MiB left: reports and journal may be lost.`,
        'Make space on that file system.',
      ),
    );
  }
  const full = images === undefined ? undefined : judgeFreeSpace(store, images);
  if (full !== undefined) findings.push(warning('disk space', full.problem, full.next));
  if (findings.length > 0) return findings;
  const gib = ((images ?? 0) / 2 ** 30).toFixed(0);
  return [well('disk space', `${gib} GiB are free for images.`)];
}

/** Interfaces that share a network confuse replies and routes. */
export function judgeNetworks(served: readonly ServedInterface[]): Finding[] {
  const networks = new Map<string, string>();
  const findings: Finding[] = [];
  for (const { name, address, netmask } of served) {
    const bits = address.split('.').map((part, index) => Number(part) & Number(netmask.split('.')[index]));
    const network = `${bits.join('.')}/${netmask}`;
    const other = networks.get(network);
    if (other !== undefined) {
      findings.push(
        problem(
          'interfaces',
          `${other} and ${name} are in the same network, ${network}: answers may leave by the wrong one.`,
          'Serve one of them, or give them different networks.',
        ),
      );
    }
    networks.set(network, name);
  }
  return findings;
}
