import path from 'node:path';
import { Command, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { bootCellNames, labNetworkModes } from '../rehearsal/boot-matrix.ts';
import type { FirmwareKind } from '../rehearsal/machine-hardware.ts';
import { formatRehearsalReport } from '../rehearsal/rehearsal-report.ts';
import { rehearseDemo } from '../rehearsal/rehearse-demo.ts';
import { compareWithBare } from './rehearse/boot-ratio.ts';
import { bootCell, rehearseBoots } from './rehearse/boots.ts';
import { evidenceDirectory, stateDirectory } from './rehearse/evidence.ts';

interface RehearseOptions {
  readonly demo?: boolean;
  readonly boot?: string;
  readonly network: string;
  readonly compare?: number;
  readonly firmware: FirmwareKind;
  readonly report?: string;
  readonly json?: boolean;
}

export function rehearseCommand(): Command {
  return new Command('rehearse')
    .description('one whole recovery in emulated machines: enrol, capture, break, F12, restore, prove')
    .option('--demo', 'rehearse with the demo station, a small Debian system')
    .addOption(
      new Option('--firmware <kind>', 'firmware of the machine').choices(['bios', 'uefi']).default('bios'),
    )
    .option(
      '--boot <loaders>',
      `only boots, to the runtime's first line: ${bootCellNames.join(', ')}, or all`,
    )
    .option('--network <modes>', `with --boot: ${labNetworkModes.join(', ')}, or all`, 'reservation')
    .option(
      '--compare <rounds>',
      'with --boot of one loader: against a bare busybox initrd, in turns',
      Number,
    )
    .option('--report <folder>', 'where the evidence goes; default: a new folder below .rekindle/evidence')
    .option('--json', 'print the report as JSON')
    .addHelpText(
      'after',
      `
Needs root: it makes a network namespace of its own and removes it again.

Examples:
  rekindle rehearse --demo
  rekindle rehearse --demo --firmware bios --report /tmp/rehearsal
  rekindle rehearse --boot uefi-secure-boot --network proxy,relay
  rekindle rehearse --boot all --network all
  rekindle rehearse --boot bios-rom --compare 3`,
    )
    .action(rehearse);
}

async function rehearse(options: RehearseOptions): Promise<void> {
  if (options.boot !== undefined) {
    const { boot, compare } = options;
    if (compare === undefined) return rehearseBoots(boot, options);
    return compareWithBare(bootCell(boot), compare, options);
  }
  if (options.demo !== true) {
    throw new RekindleError('usage', 'Only the demo station can be rehearsed so far', {
      next: 'rekindle rehearse --demo',
    });
  }
  const { firmware, json = false } = options;
  const evidence = path.resolve(options.report ?? evidenceDirectory(firmware));
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
