import { labDomain, type SambaHost } from './samba-host.ts';

/** The account that a site gives to Rekindle: no administrator, with rights on single computer accounts. */
export const delegated = { account: 'svc-rejoin', password: 'Only-4-rejoining' };

export const domainContext = labDomain
  .split('.')
  .map((part) => `DC=${part}`)
  .join(',');

/** Runs on a controller, on its own database. */
export async function addDelegatedAccount(controller: SambaHost): Promise<void> {
  await controller.run('adding the delegated account', 'samba-tool', [
    ...['user', 'create', delegated.account, delegated.password],
  ]);
}

/**
 * The rights of docs/domain.md on one computer account: reset the password (extended right), write the account's
 * restrictions (property set), and the validated writes of DNS host name and service principal names.
 */
const rights = [
  'OA;;CR;00299570-246d-11d0-a768-00aa006e0529',
  'OA;;WP;4c164200-20c0-11d0-a768-00aa006e0529',
  'OA;;SW;72e39547-7b18-11d1-adef-00c04fd8d5cd',
  'OA;;SW;f3a64788-5306-11d1-a9c5-0000f80367c1',
];

/** Container for the test objects that prove replication: contacts may be made and deleted there. */
export const testContainer = `OU=Rekindle,${domainContext}`;

export async function addTestContainer(controller: SambaHost): Promise<void> {
  await controller.run('adding the container of test objects', 'samba-tool', ['ou', 'add', testContainer]);
  await controller.run('delegating rights on it', 'samba-tool', [
    ...['dsacl', 'set', `--objectdn=${testContainer}`],
    `--sddl=(OA;;CCDC;${contactClass};;${await readSid(controller)})`,
  ]);
}

/** schemaIDGUID of the class contact (MS-ADSC 2.44). */
const contactClass = '5cb41ed0-0e4c-11d0-a286-00aa003049e2';

async function readSid(controller: SambaHost): Promise<string> {
  const shown = await controller.run('reading the SID of the delegated account', 'samba-tool', [
    ...['user', 'show', delegated.account, '--attributes=objectSid'],
  ]);
  return /objectSid: (S-[0-9-]+)/.exec(shown)?.[1] ?? '';
}

export async function delegateComputer(controller: SambaHost, computerName: string): Promise<void> {
  const sid = await readSid(controller);
  await controller.run(`delegating rights on ${computerName}`, 'samba-tool', [
    ...['dsacl', 'set', `--objectdn=CN=${computerName},CN=Computers,${domainContext}`],
    `--sddl=${rights.map((right) => `(${right};;${sid})`).join('')}`,
  ]);
}
