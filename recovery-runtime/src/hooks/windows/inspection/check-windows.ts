import type { ImageManifest } from '#images/format/image-manifest.ts';
import { checkHive } from './check-boot.ts';
import { systemHives } from './evidence.ts';
import { type Finding, fatal, right, unknown, warning } from './finding.ts';
import { isRemembered } from './locate-drive.ts';
import type { LocatedWindows } from './locate-windows.ts';
import type { WindowsFacts } from './windows-facts.ts';

type Found = LocatedWindows & { kind: 'found' };

/** What the image's manifest says that the restored Windows has to be. */
export type ExpectedWindows = Pick<ImageManifest, 'computerName' | 'stationRole' | 'windows'>;

/** The installation itself: hives, identity, role. @param expected absent: nothing to compare with. Pure. */
export function checkWindows({ windows }: Found, expected: ExpectedWindows | undefined): Finding[] {
  const { installation } = windows;
  const findings = systemHives.map((name) =>
    checkHive(`hive-${name.toLowerCase()}`, `The hive ${name}`, installation.hives[name]),
  );
  const { facts } = installation;
  if (facts === null) {
    const sentence =
      'Which Windows this is cannot be told: its SYSTEM hive names no control set that is there.';
    return [...findings, fatal('control-set', sentence)];
  }
  findings.push(
    right(
      'edition',
      `${facts.product || 'Windows'} (${facts.edition || 'edition unknown'}), build ${facts.build}.`,
    ),
  );
  findings.push(checkDriveC(windows));
  findings.push(checkComputerName(facts, expected));
  findings.push(checkRole(facts, expected));
  findings.push(...checkDirectory(installation.directory, facts));
  findings.push(...compareFacts(facts, expected?.windows));
  return findings;
}

function checkDriveC({ disk, volume, installation }: Found['windows']): Finding {
  const check = 'drive-c';
  const remembered = installation.driveC;
  if (remembered === null)
    return unknown(check, 'It does not remember which volume is C:, and gives it out anew.');
  return isRemembered(remembered, { disk, volume })
    ? right(check, `It remembers partition ${volume.partition.number} as C:.`)
    : fatal(check, 'It remembers another partition as C:, and would give this one another letter.');
}

function checkComputerName({ computerName }: WindowsFacts, expected: ExpectedWindows | undefined): Finding {
  const check = 'computer-name';
  if (computerName === '') return fatal(check, 'Windows has no computer name.');
  if (expected === undefined)
    return unknown(check, `Its computer name is ${computerName}; there is nothing to compare it with.`);
  return computerName.toUpperCase() === expected.computerName.toUpperCase()
    ? right(check, `Its computer name is ${computerName}, as the image's manifest says.`)
    : fatal(
        check,
        `Its computer name is ${computerName}; the image's manifest says ${expected.computerName}.`,
      );
}

function checkRole({ role }: WindowsFacts, expected: ExpectedWindows | undefined): Finding {
  const check = 'role';
  if (role === 'unknown')
    return warning(check, 'It does not say whether it is a domain controller (ProductType).');
  const words = {
    workstation: 'a workstation',
    server: 'a server',
    'domain-controller': 'a domain controller',
  };
  if (expected === undefined)
    return unknown(check, `It is ${words[role]}; there is nothing to compare that with.`);
  const isController = role === 'domain-controller';
  if (isController === (expected.stationRole === 'domain-controller'))
    return right(check, `It is ${words[role]}, as the station is registered (${expected.stationRole}).`);
  // Either way a rule that protects a domain would not be applied.
  return fatal(
    check,
    `It is ${words[role]}, but the station is registered as ${expected.stationRole}. It must not be started before that is cleared up.`,
  );
}

function checkDirectory(
  directory: { readonly path: string; readonly present: boolean } | null,
  { role }: WindowsFacts,
): Finding[] {
  if (role !== 'domain-controller') return [];
  if (directory === null)
    return [
      unknown(
        'directory-database',
        'Where this domain controller has its directory was not found on this volume.',
      ),
    ];
  return directory.present
    ? [right('directory-database', `The directory of the domain controller is there: ${directory.path}.`)]
    : [fatal('directory-database', `The directory of the domain controller is missing: ${directory.path}.`)];
}

function compareFacts(facts: WindowsFacts, image: ImageManifest['windows']): Finding[] {
  const domain = facts.domain === '' ? 'It is in no domain.' : `It belongs to the domain ${facts.domain}.`;
  const sql =
    facts.sqlInstances.length === 0
      ? 'It has no SQL Server.'
      : `It has SQL Server instances: ${facts.sqlInstances.join(', ')}.`;
  const compared = (check: string, sentence: string, was: string | undefined, is: string): Finding => {
    if (was === undefined) return unknown(check, `${sentence} There is nothing to compare that with.`);
    return was === is
      ? right(check, sentence)
      : warning(check, `${sentence} When the image was taken: ${was === '' ? 'none' : was}.`);
  };
  return [
    compared('domain', domain, image?.domain, facts.domain),
    compared('sql-instances', sql, image?.sqlInstances.join(', '), facts.sqlInstances.join(', ')),
    compared('build', `Build ${facts.build}.`, image?.build, facts.build),
  ];
}
