import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LabNetwork } from '../lab-network.ts';
import { addDelegatedAccount, delegateComputer, delegated } from './delegated-account.ts';
import { createDomainCa } from './lab-certificates.ts';
import {
  joinAsController,
  provisionDomain,
  type RunningController,
  startController,
} from './lab-controller.ts';
import { changeMachinePassword, joinDomain } from './lab-member.ts';
import { addSambaHost, controllerAddress, labDomain, type SambaHost } from './samba-host.ts';

/**
 * An Active Directory domain in the plant network of a rehearsal: one Samba controller, and the account that a site
 * gives to Rekindle. `directory` goes into the hook plan of a station as it is.
 */
export interface LabDomain extends AsyncDisposable {
  readonly network: LabNetwork;
  readonly controller: RunningController;
  /** File of the CA that signed the controllers' certificates. */
  readonly ca: string;
  readonly directory: {
    readonly domain: string;
    readonly controllers: readonly string[];
    readonly ca: string;
    readonly account: string;
    readonly passwordFile: string;
  };
  /** A computer of this network that may become a member, with folders of its own below the lab's. */
  addHost(name: string, address: string): Promise<SambaHost>;
  /** One more controller of the domain, running. */
  addController(name: string, address: string): Promise<RunningController>;
  /** Joins a computer as its administrator would; the delegated account may repair it from then on. */
  joinMember(host: SambaHost): Promise<void>;
}

export async function startLabDomain(network: LabNetwork, folder: string): Promise<LabDomain> {
  const ca = await createDomainCa(path.join(folder, 'ca'));
  const addHost = (name: string, address: string): Promise<SambaHost> =>
    addSambaHost({
      network,
      directory: path.join(folder, name.toLowerCase()),
      name,
      address,
      nameServers: [controllerAddress],
    });
  const host = await addHost('DC1', controllerAddress);
  await provisionDomain(host, ca);
  const controller = await startController(host);
  await addDelegatedAccount(host);
  await network.useNameServers([controllerAddress], labDomain);
  const passwordFile = path.join(folder, 'svc-rejoin.password');
  await writeFile(passwordFile, `${delegated.password}\n`, { mode: 0o600 });
  return {
    network,
    controller,
    ca,
    directory: {
      domain: labDomain,
      controllers: [controller.dnsName],
      ca,
      account: delegated.account,
      passwordFile,
    },
    addHost,
    addController: async (name, address) => {
      const second = await addHost(name, address);
      await joinAsController(second, ca);
      return startController(second);
    },
    joinMember: async (member) => {
      await joinDomain(member, controller.dnsName);
      await delegateComputer(host, member.name);
    },
    [Symbol.asyncDispose]: () => controller.stop(),
  };
}

/** What makes an image old: the station changes its machine password when it has been taken. */
export async function rotateMachinePassword(member: SambaHost, times = 1): Promise<void> {
  for (let time = 0; time < times; time += 1) await changeMachinePassword(member);
}
