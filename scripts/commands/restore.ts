import { readFile, realpath, stat } from 'node:fs/promises';
import { Command } from 'commander';
import { errorChain, exitCodeOf, RekindleError } from '#base/errors.ts';
import { formatImageRef, formatUtc, type ImageRef, parseImageRef } from '#images/format/image-name.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import { readListedFile, readManifest, resolveImage } from '#images/stores/image-folder.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { processPort } from '#runtime/console/process-port.ts';
import { doneScreen } from '#runtime/console/screens.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import { texts } from '#runtime/console/texts.ts';
import { assertBlockDevice, type LocalRestore, restoreLocally } from '#runtime/local-restore.ts';
import { describePartition } from '#runtime/steps/lost-partitions.ts';
import { believeImage, type SignedImage } from '#runtime/steps/open-job.ts';
import { linuxMachine } from '#runtime/workflow-linux-machine.ts';
import { writeLocalReport } from '../restore/write-local-report.ts';
import { operatorName, type SiteOption, withSite } from '../site-option.ts';

interface Options extends SiteOption {
  readonly store: string;
  readonly image: string;
  readonly disk?: string;
  readonly volumes?: string;
  readonly publicKey?: string;
  readonly report?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export function restoreCommand(): Command {
  return withSite(new Command('restore'))
    .description(
      "put this machine's own image back, on the machine itself: the same rules as after F12. Nothing is written before the station's name was typed; interrupted, it goes on where it was",
    )
    .requiredOption('--store <store>', 'image store: a folder, or the URL of a web server')
    .requiredOption('--image <ref>', 'STATION@latest or STATION@<UTC time>')
    .option(
      '--disk <device>',
      'restore this disk only; it has to be one of the image by serial number or WWN',
    )
    .option(
      '--volumes <volumes>',
      'these volumes only, by number, name or label (2,PROJECTS or 1:3 for disk 1); "all": every volume, data volumes too. Without: the system, while data volumes survive',
    )
    .option('--public-key <file>', "the site's image-signing.pub; default: the one of the site folder")
    .option('--report <file>', 'where the report goes; default: rekindle-restore_STATION_TIME.json here')
    .option('--dry-run', 'show what would be overwritten and what survives, then stop')
    .option('--json', 'plan or report as JSON; everything else goes to standard error')
    .action(restore);
}

async function restore(options: Options): Promise<void> {
  const openedAt = new Date();
  const ref = parseImageRef(options.image);
  if (process.getuid?.() !== 0) {
    throw new RekindleError('usage', 'Restoring needs the rights to read and write whole disks', {
      next: 'Run this as root.',
    });
  }
  const onlyDisk = options.disk === undefined ? undefined : await parseDisk(options.disk);
  const interrupt = new AbortController();
  const stop = (): void => interrupt.abort();
  process.once('SIGTERM', stop).once('SIGINT', stop);
  const output = options.json === true ? process.stderr : process.stdout;
  const terminal = createTerminal([processPort(output, stop)]);
  const paths = sitePaths(options.site);
  const technician = operatorName();
  try {
    const restored = await restoreLocally({
      machine: linuxMachine,
      terminal,
      readImage: () => readImage(options, ref, options.publicKey ?? paths.imageSigningPublicKey),
      dryRun: options.dryRun === true,
      technician,
      signal: interrupt.signal,
      ...(options.volumes === undefined ? {} : { volumes: options.volumes }),
      ...(onlyDisk === undefined ? {} : { onlyDisk }),
    });
    const { ending } = restored;
    if (ending.kind === 'restored') terminal.print(doneScreen(texts.restoreDone(ending.station)));
    if (ending.kind === 'dry-run') {
      terminal.print(doneScreen(texts.dryRun));
    } else {
      const file = options.report ?? `rekindle-restore_${ref.station}_${formatUtc(openedAt)}.json`;
      const facts = { station: ref.station, technician, openedAt, signingKey: paths.imageSigningKey };
      terminal.print([await writeLocalReport(file, restored, facts)]);
    }
    if (options.json === true) console.log(JSON.stringify(summaryOf(restored)));
    if (ending.kind === 'failed') throw ending.error;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
    terminal.close();
  }
}

/** @throws RekindleError `target-unfit` for what is no block device, `not-found` */
async function parseDisk(path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new RekindleError('not-found', `Looking for the disk ${path}`, {
      cause,
      next: 'rekindle passport take lists the disks of this machine.',
    });
  });
  assertBlockDevice(path, found.isBlockDevice());
  return realpath(path);
}

async function readImage(options: Options, ref: ImageRef, keyFile: string): Promise<SignedImage> {
  const source = parseStore(options.store);
  const store = source.kind === 'http' ? source.url : source.path;
  const keyText = await readFile(keyFile, 'utf8').catch((cause: unknown) => {
    throw new RekindleError('usage', "Reading the site's public key, without which no image is believed", {
      cause,
      next: 'Bring image-signing.pub of the site folder along and name it with --public-key.',
    });
  });
  const key = parsePublicKey(keyText);
  const name = await resolveImage(store, ref);
  const { manifestBytes, signature } = await readManifest(store, name, key);
  return believeImage({
    ref: formatImageRef(name),
    manifestBytes,
    signature,
    key,
    readListed: (manifest, file) => readListedFile(store, name, manifest, file),
    source,
  });
}

function summaryOf({ ending, image, planned, findings }: LocalRestore) {
  return {
    outcome: ending.kind,
    exitCode: ending.kind === 'failed' ? exitCodeOf(ending.error) : 0,
    reasons: ending.kind === 'failed' ? errorChain(ending.error) : [],
    station: image?.manifest.station ?? null,
    capturedAt: image?.manifest.capturedAt ?? null,
    differences: findings.differences,
    plan: planned.map(({ target, plan, lost }) => ({
      disk: target.image.number,
      device: target.disk.devicePath,
      recognisedBy: target.recognisedBy,
      restored: plan.restored,
      kept: plan.kept,
      overwrittenData: plan.overwrittenData,
      lost: lost.map(describePartition),
      warnings: plan.warnings,
      totalBytes: plan.totalBytes,
    })),
    disks: findings.disks,
  };
}
