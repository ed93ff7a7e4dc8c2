import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { parseFiletime } from '#pxe-server/domain/filetime.ts';
import type { LabNetwork } from '../lab-network.ts';
import { secretsOf } from './demo-membership.ts';
import { type LabDomain, rotateMachinePassword, startLabDomain } from './lab-domain.ts';
import { proveTrust, type TrustProof } from './lab-member.ts';
import type { SambaHost } from './samba-host.ts';

/** The rehearsal's domain, and its station in it. */
export interface StationInDomain extends AsyncDisposable {
  readonly domain: LabDomain;
  /** Another computer of the lab, which has joined under the station's name: Samba runs here as the station would. */
  readonly member: SambaHost;
  /** The station changes its machine password, as it does every 30 days. */
  rotate(): Promise<void>;
  /** Asks a controller whether it believes the machine password in these secrets of Samba (secrets.tdb). */
  proveTrustOf(secrets: string): Promise<TrustProof>;
  readAccount(): Promise<AccountDates>;
}

/** Of the computer account, as the controller itself has it in its database. */
export interface AccountDates {
  readonly passwordLastSet: Date | undefined;
  readonly lastLogon: Date | undefined;
}

/** Of nobody in the lab's network until then. */
const memberAddress = '10.77.0.50';

export async function putStationIntoDomain(
  network: LabNetwork,
  folder: string,
  station: string,
): Promise<StationInDomain> {
  await using stack = new AsyncDisposableStack();
  const domain = stack.use(await startLabDomain(network, folder));
  const member = await domain.addHost(station, memberAddress);
  await domain.joinMember(member);
  const held = stack.move();
  return {
    domain,
    member,
    rotate: () => rotateMachinePassword(member),
    proveTrustOf: async (secrets) => {
      const own = path.join(folder, 'own-secrets.tdb');
      await copyFile(secretsOf(member), own);
      await copyFile(secrets, secretsOf(member));
      try {
        return await proveTrust(member);
      } finally {
        await copyFile(own, secretsOf(member));
      }
    },
    readAccount: async () => {
      const found = await domain.controller.host.run(`reading the account of ${station}`, 'ldbsearch', [
        ...[
          '-H',
          '/var/lib/samba/private/sam.ldb',
          `(sAMAccountName=${station}$)`,
          'pwdLastSet',
          'lastLogon',
        ],
      ]);
      const date = (name: string) =>
        parseFiletime(new RegExp(`^${name}: (\\d+)$`, 'm').exec(found)?.[1] ?? '');
      return { passwordLastSet: date('pwdLastSet'), lastLogon: date('lastLogon') };
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}
