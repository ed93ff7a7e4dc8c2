import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { exitCodes, RekindleError } from '#base/errors.ts';
import { imageManifestSchema } from '#images/format/image-manifest.ts';
import { examineDisks } from '#runtime/hooks/windows/inspection/examine-disks.ts';
import type { Finding } from '#runtime/hooks/windows/inspection/finding.ts';
import { hasWindows, inspectWindows } from '#runtime/hooks/windows/inspection/inspect-windows.ts';

interface Options {
  readonly manifest?: string;
  readonly sectorBytes?: string;
  readonly json?: boolean;
}

export function inspectCommand(): Command {
  return new Command('inspect')
    .description(
      'say whether the Windows on a disk that does not run can be expected to start; changes nothing',
    )
    .argument('<disk...>', "the station's disks: devices, or files that hold a whole disk")
    .option('--manifest <file>', "manifest.json of the station's image, to compare name, role and build with")
    .option('--sector-bytes <n>', 'sector size of a disk in a file (default: 512)')
    .option('--json', 'as JSON')
    .action(inspect);
}

async function inspect(disks: readonly string[], options: Options): Promise<void> {
  const expected =
    options.manifest === undefined
      ? undefined
      : imageManifestSchema.parse(JSON.parse(await readFile(options.manifest, 'utf8')));
  const paths = disks.map((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined)
      throw new RekindleError('not-found', `Inspecting ${path}: there is no such file or device`);
    return { path, isBlockDevice: stat.isBlockDevice() };
  });
  const sectorBytes = options.sectorBytes === undefined ? undefined : Number(options.sectorBytes);
  const evidence = await examineDisks(paths, sectorBytes);
  if (!hasWindows(evidence)) {
    throw new RekindleError('not-found', `Inspecting ${disks.join(', ')}: there is no Windows on it`, {
      next: 'Name every disk of the station, and whole disks, not partitions.',
    });
  }
  const inspection = inspectWindows(evidence, expected);
  if (options.json === true) console.log(JSON.stringify(inspection));
  else for (const line of inspection.findings.map(lineOf)) console.log(line);
  if (inspection.findings.some(({ outcome }) => outcome === 'fatal'))
    process.exitCode = exitCodes['verification-failed'];
}

const marks = { right: 'ok     ', warning: 'warning', unknown: '?      ', fatal: 'FATAL  ' } as const;

const lineOf = ({ outcome, sentence }: Finding): string => `${marks[outcome]} ${sentence}`;
