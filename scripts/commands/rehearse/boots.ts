import path from 'node:path';
import { formatError, RekindleError } from '#base/errors.ts';
import { openBootLab } from '../../rehearsal/boot-lab.ts';
import {
  type BootCellName,
  bootCellNames,
  firmwareAndLoaders,
  type LabNetworkMode,
  labNetworkModes,
  networkTitles,
} from '../../rehearsal/boot-matrix.ts';
import { type BootSeen, rehearseBoot } from '../../rehearsal/boot-rehearsal.ts';
import { evidenceDirectory, stateDirectory } from './evidence.ts';

type BootResult = { readonly network: LabNetworkMode } & (
  | BootSeen
  | { readonly cell: string; readonly failure: string }
);

/** Cells of the matrix of docs/machines.md, one machine after the other. */
export async function rehearseBoots(
  loaders: string,
  {
    network,
    report,
    json = false,
  }: { readonly network: string; readonly report?: string; readonly json?: boolean },
): Promise<void> {
  const cells = chosen('--boot', loaders, bootCellNames);
  const modes = chosen('--network', network, labNetworkModes);
  const evidence = path.resolve(report ?? evidenceDirectory('boots'));
  const say = (line: string) => (json ? console.error(line) : console.log(line));
  const results: BootResult[] = [];
  for (const mode of modes) {
    await using lab = await openBootLab({ mode, stateDirectory, evidence: path.join(evidence, mode) });
    for (const cell of cells) {
      say(`${firmwareAndLoaders[cell].title}; ${networkTitles[mode]}`);
      const result = await rehearseBoot(lab, cell).catch((error: unknown) => ({
        cell,
        failure: formatError(error),
      }));
      results.push({ network: mode, ...result });
      if ('failure' in result) say(`  FAILED: ${result.failure}`);
      else
        say(
          [...result.sentences, `the runtime's first line after ${result.powerOnToFirstLine} s`]
            .map((line) => `  ${line}`)
            .join('\n'),
        );
    }
  }
  if (json) console.log(JSON.stringify(results, null, 2));
  else console.log(`Evidence: ${evidence}`);
  const failed = results.filter((result) => 'failure' in result);
  if (failed.length === 0) return;
  throw new RekindleError(
    'verification-failed',
    `${failed.length} of ${results.length} boots did not arrive`,
    {
      next: `Read the consoles in ${evidence}.`,
    },
  );
}

/** One loader by its name. */
export function bootCell(text: string): BootCellName {
  const [cell, ...more] = chosen('--boot', text, bootCellNames);
  if (cell !== undefined && more.length === 0) return cell;
  throw new RekindleError('usage', `--boot ${text}: one loader at a time can be compared`);
}

function chosen<Name extends string>(option: string, text: string, names: readonly Name[]): readonly Name[] {
  if (text === 'all') return names;
  return text.split(',').map((word) => {
    const name = names.find((each) => each === word.trim());
    if (name !== undefined) return name;
    throw new RekindleError('usage', `${option} ${word}: there is no such one`, {
      next: `Choose of ${names.join(', ')}, or all.`,
    });
  });
}
