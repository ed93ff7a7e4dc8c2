import { execFile } from 'node:child_process';
import { errorChain, RekindleError } from '#base/errors.ts';
import { type Configuration, storeFolder } from '../config/configuration.ts';
import { listOtherServers } from '../dhcp/other-servers.ts';
import { probeDhcpServers } from '../dhcp/probe-servers.ts';
import { checkOtherSystems } from '../serve/check-other-systems.ts';
import { checkReadiness } from '../serve/check-readiness.ts';
import { judgeDhcpServers } from '../serve/watch-dhcp-servers.ts';
import { findServedInterfaces, type ServedInterface } from '../site/served-interface.ts';
import type { SitePaths } from '../site/site-paths.ts';
import type { State } from '../site/state.ts';
import { listStations } from '../stations/station-registry.ts';
import { checkLink, checkPrivileges, checkTools } from './check-computer.ts';
import { checkHookPlans } from './check-hook-plans.ts';
import { checkOwners } from './check-owners.ts';
import { checkPorts } from './check-ports.ts';
import { checkCertificates, checkDiskSpace, checkRuntime, judgeClock, judgeNetworks } from './check-site.ts';
import { checkSystemStates } from './check-system-states.ts';
import { type Finding, problem, warning, well } from './finding.ts';

export interface ExaminedSite {
  readonly paths: SitePaths;
  readonly configuration: Configuration;
  readonly state: State;
}

const dayMs = 86_400_000;

/** Everything that stands between a station and its recovery, as far as this computer can see it. Changes nothing. */
export async function examineSite(site: ExaminedSite): Promise<Finding[]> {
  const { paths, configuration, state } = site;
  const store = storeFolder(configuration, paths.folder);
  const { problems, warnings } = await checkReadiness(paths, state, store, configuration.share);
  const stations = listStations(state);
  const plans = await checkHookPlans(paths, stations);
  return [
    ...checkTools(plans.wanted),
    ...checkPrivileges(),
    ...(await examineInterfaces(site)),
    ...problems.map((each) => problem('site', each.problem, each.next)),
    // Free space has a check of its own.
    ...warnings
      .filter((each) => !each.problem.includes(' GiB left'))
      .map((each) => warning('site', each.problem, each.next)),
    ...(await checkOwners(paths)),
    ...plans.findings,
    ...(await checkSystemStates(paths, store, plans.wantedStates)),
    ...(await checkOtherSystems(configuration, paths)).map((each) =>
      warning('boot menu', each.problem, each.next),
    ),
    ...(await checkDiskSpace(paths, store)),
    judgeClock(Date.now(), await isClockSynchronised()),
    ...(await checkCertificates(paths)),
    ...(await checkRuntime(
      paths,
      stations.map(({ name }) => name),
    )),
  ];
}

async function examineInterfaces({ configuration, state }: ExaminedSite): Promise<Finding[]> {
  let served: ServedInterface[];
  try {
    served = findServedInterfaces(configuration);
  } catch (error) {
    if (!(error instanceof RekindleError)) throw error;
    return [
      problem('interfaces', `${errorChain(error).join(': ')}.`, error.next ?? 'Correct rekindle.yaml.'),
    ];
  }
  const findings = judgeNetworks(served);
  for (const each of served) {
    const link = checkLink(each);
    findings.push(link, ...(await checkPorts(each, configuration)));
    if (link.verdict !== 'problem') findings.push(await examineDhcpServers(each, configuration));
  }
  const seen = listOtherServers(state, Date.now() - dayMs);
  for (const { address, lastSeen, how } of configuration.dhcp.mode === 'reservation' ? seen : []) {
    findings.push(
      warning(
        'DHCP servers',
        `The DHCP server ${address} was seen at ${lastSeen.toISOString()}: ${how}.`,
        'In reservation mode there should be none besides Rekindle; take it off this network, or set dhcp.mode: proxy.',
      ),
    );
  }
  return findings;
}

async function examineDhcpServers(served: ServedInterface, { dhcp }: Configuration): Promise<Finding> {
  try {
    const found = await probeDhcpServers(served);
    const judged = judgeDhcpServers(dhcp.mode, served, found);
    if (judged !== undefined) return problem('DHCP servers', judged.problem, judged.next);
    const list = found.map(({ address, offers }) =>
      offers === undefined ? address : `${address} (offers ${offers})`,
    );
    return well(
      'DHCP servers',
      found.length === 0
        ? `No other DHCP server answers on ${served.name}, as it should be in ${dhcp.mode} mode.`
        : `On ${served.name} answers: ${list.join(', ')}.`,
    );
  } catch (error) {
    const next = error instanceof RekindleError ? error.next : undefined;
    return warning('DHCP servers', `${errorChain(error).join(': ')}.`, next ?? 'Run the doctor as root.');
  }
}

/** systemd knows; elsewhere nobody is asked. */
function isClockSynchronised(): Promise<boolean | undefined> {
  return new Promise((resolve) => {
    execFile(
      'timedatectl',
      ['show', '--property=NTPSynchronized', '--value'],
      { timeout: 3000 },
      (error, stdout) => resolve(error === null ? stdout.trim() === 'yes' : undefined),
    );
  });
}
