import path from 'node:path';
import { Command, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import type { FirmwareKind } from '../rehearsal/machine-hardware.ts';
import { formatRehearsalReport } from '../rehearsal/rehearsal-report.ts';
import { rehearseDemo } from '../rehearsal/rehearse-demo.ts';

interface RehearseOptions {
  readonly demo?: boolean;
  readonly firmware: FirmwareKind;
  readonly report?: string;
  readonly json?: boolean;
}

const stateDirectory = path.join(import.meta.dirname, '..', '..', '.rekindle');

export function rehearseCommand(): Command {
  return new Command('rehearse')
    .description('one whole recovery in emulated machines: enrol, capture, break, F12, restore, prove')
    .option('--demo', 'rehearse with the demo station, a small Debian system')
    .addOption(
      new Option('--firmware <kind>', 'firmware of the machine').choices(['bios', 'uefi']).default('bios'),
    )
    .option('--report <folder>', 'where the evidence goes; default: a new folder below .rekindle/evidence')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Needs root: it makes a network namespace of its own and removes it again.

Examples:
  rekindle rehearse --demo
  rekindle rehearse --demo --firmware bios --report /tmp/rehearsal`,
    )
    .action(rehearse);
}

async function rehearse(options: RehearseOptions): Promise<void> {
  if (options.demo !== true) {
    throw new RekindleError('usage', 'Only the demo station can be rehearsed so far', {
      next: 'rekindle rehearse --demo',
    });
  }
  const { firmware, json = false } = options;
  const evidence = path.resolve(options.report ?? defaultEvidence(firmware));
  const report = await rehearseDemo({
    firmware,
    stateDirectory,
    evidence,
    onProgress: (line) => (json ? console.error(line) : console.log(line)),
  });
  console.log(json ? JSON.stringify(report, null, 2) : `\n${await formatRehearsalReport(evidence, report)}`);
  if (!json) console.log(`Evidence: ${evidence}`);
  if (report.outcome === 'failed') {
    throw new RekindleError('verification-failed', 'The rehearsal did not reach its end', {
      next: `Read the consoles in ${evidence}.`,
    });
  }
}

function defaultEvidence(firmware: FirmwareKind): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  return path.join(stateDirectory, 'evidence', `${time}-${firmware}`);
}
