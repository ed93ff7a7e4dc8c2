import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import type { HookOf } from '#contract/hook.ts';
import { sentenceOf } from '#contract/hook-result.ts';
import { accountOnly, readDomainSettings } from '#pxe-server/domain/domain-settings.ts';
import { lookAtTrust, makeRejoinSecret, proveRejoin } from '#pxe-server/domain/rejoin-station.ts';
import { planLines } from '#pxe-server/hooks/domain-rejoin.ts';
import { knownPassword } from '../../ask-password.ts';
import { openStationHook } from '../../hooks/station-hook.ts';
import { type SiteOption, withSite } from '../../site-option.ts';

interface Options extends SiteOption {
  readonly image: string;
  readonly rejoin?: string;
  readonly as?: string;
  readonly passwordFile?: string;
  readonly json?: boolean;
}

export function domainCommand(): Command {
  return withSite(new Command('domain'))
    .description('look whether the domain trusts a station; make what it needs to be trusted again')
    .argument('<station>', 'its hook plan has a hook of kind domain-rejoin')
    .option('--image <time>', 'the image that is restored or will be: latest, or its UTC time', 'latest')
    .option(
      '--rejoin <file>',
      'give its account a new password, and write the offline-join blob to this file',
    )
    .option('--as <user>', "with this account of the domain instead of the site's own")
    .option('--password-file <file>', 'first line is its password; without it, it is asked for')
    .option('--json', 'as JSON')
    .action(domain);
}

async function domain(name: string, options: Options): Promise<void> {
  const { hook, manifest, paths } = await openStationHook(name, 'domain-rejoin', options);
  const settings = await settingsOf(hook, paths.folder, options);
  const { computerName, station } = manifest;
  if (options.rejoin !== undefined) {
    const { bytes } = await makeRejoinSecret(settings, { station, computerName, method: 'offline-join' });
    await writeSecret(options.rejoin, bytes);
    for (const line of howToUse(computerName, options.rejoin, settings.domain)) console.log(line);
    return;
  }
  const found = await lookAtTrust(settings, {
    computerName,
    imageTakenAt: new Date(manifest.capturedAt),
    rotationDays: hook.rotationDays,
  });
  const proof = await proveRejoin(settings, { computerName, passwordBefore: undefined, seconds: 0 });
  const lines = planLines(found, hook);
  if (options.json === true) {
    console.log(
      JSON.stringify({
        station,
        computerName,
        image: manifest.capturedAt,
        ...found,
        lines,
        proof: proof.result,
      }),
    );
  } else {
    for (const { kind, sentence } of lines) console.log(`${marks[kind]} ${sentence}`);
    console.log(`  ${sentenceOf(proof.result)}`);
  }
  if (found.kind === 'seen' && found.prediction.kind === 'refused') {
    const { sentence, next } = found.prediction;
    throw new RekindleError('failed-hooks', sentence, next === undefined ? {} : { next });
  }
}

const marks = { change: ' ', warning: '!', 'needs-person': '?' } as const;

/** A technician's own credential is used for this one call and kept nowhere. */
async function settingsOf(hook: HookOf<'domain-rejoin'>, siteFolder: string, options: Options) {
  if (options.as === undefined) return readDomainSettings(hook.directory, siteFolder);
  const account = accountOnly(options.as);
  const password = await knownPassword(`${account} of ${hook.directory.domain}`, options.passwordFile);
  return readDomainSettings(hook.directory, siteFolder, { account, password });
}

async function writeSecret(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new RekindleError('usage', `Writing the offline-join blob to ${file}`, {
      cause,
      next: 'Name a file that is not there yet; the blob is made anew each time.',
    });
  }
}

const howToUse = (computerName: string, file: string, domainName: string): string[] => [
  `${file} makes whoever has it ${computerName} of ${domainName}. Bring it there now, use it once, and delete it.`,
  '',
  'On Windows, as an administrator:',
  '  djoin /requestodj /loadfile BLOB /windowspath %SystemRoot% /localos',
  '  shutdown /r /t 0',
  `  nltest /sc_change_pwd:${domainName}        after the restart: makes the blob worthless`,
  '',
  'On Linux with Samba, as root:',
  '  net offlinejoin requestodj loadfile=BLOB && net ads changetrustpw',
];
