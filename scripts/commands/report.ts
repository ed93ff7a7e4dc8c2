import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { type RunReport, runReportSchema } from '#contract/run-report.ts';
import { parsePublicKey, verifySignature } from '#images/format/minisign.ts';
import { formatRunReport } from '#pxe-server/jobs/format-run-report.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { type SiteOption, withSite } from '../site-option.ts';
import { close, tick } from './report/amend.ts';

interface VerifyOptions extends SiteOption {
  readonly publicKey?: string;
}

export function reportCommand(): Command {
  const command = new Command('report').description('signed reports of restores and captures');

  command
    .command('show')
    .description('print a report')
    .argument('<file>', 'report.json')
    .option('--json', 'as JSON')
    .action(async (file: string, options: { readonly json?: boolean }) => {
      const report = parseReport(await readInput(file), file);
      console.log(options.json === true ? JSON.stringify(report, null, 2) : formatRunReport(report));
    });

  withSite(command.command('verify'))
    .description('check the signature of a report; minisign -V does the same')
    .argument('<file>', 'report.json, with report.json.minisig beside it')
    .option('--public-key <file>', "the site's image-signing.pub; default: the one of the site folder")
    .action(async (file: string, options: VerifyOptions) => {
      const key = options.publicKey ?? sitePaths(options.site).imageSigningPublicKey;
      const [bytes, signature, keyText] = await Promise.all([file, `${file}.minisig`, key].map(readInput));
      if (bytes === undefined || signature === undefined || keyText === undefined) return;
      const publicKey = parsePublicKey(keyText.toString('utf8'));
      const comment = verifySignature(bytes, signature.toString('utf8'), publicKey, `report ${file}`);
      const { station, machine } = parseReport(bytes, file);
      console.log(`The signature is right: ${comment}\n${station}: ${machine.outcome}`);
    });

  withSite(command.command('tick'))
    .description('note that something on the checklist of a report was done; the report is signed anew')
    .argument('<file>', 'report.json in the site folder')
    .argument('<item>', 'e.g. download; `report show` lists them')
    .option('--note <text>', 'e.g. why it was not needed')
    .option('--by <name>', 'who did it; default: who is logged on here')
    .action(async (file: string, item: string, options: SiteOption & { note?: string; by?: string }) => {
      console.log(await tick(file, item, options));
    });

  withSite(command.command('close'))
    .description('stop waiting for the first boot of a restored station; the report is signed anew')
    .argument('<file>', 'report.json in the site folder')
    .requiredOption('--reason <text>', 'why nobody waits any more')
    .option('--by <name>', 'who closes it; default: who is logged on here')
    .action(async (file: string, options: SiteOption & { reason: string; by?: string }) => {
      console.log(await close(file, options));
    });
  return command;
}

async function readInput(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new RekindleError('usage', `Reading ${file}`, { cause, next: 'Name the report.json of a run.' });
  }
}

function parseReport(bytes: Buffer | undefined, file: string): RunReport {
  try {
    return runReportSchema.parse(JSON.parse((bytes ?? Buffer.alloc(0)).toString('utf8')));
  } catch (cause) {
    throw new RekindleError('verification-failed', `Reading ${file}: it is no run report`, { cause });
  }
}
