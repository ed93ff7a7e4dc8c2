import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { formatPublicKey } from '#images/format/minisign.ts';
import { shareKind } from '#pxe-server/config/share-configuration.ts';
import { writeServedKernel } from '#pxe-server/site/served-kernel.ts';
import { writeServedRuntime } from '#pxe-server/site/served-runtime.ts';
import { writeServedShare } from '#pxe-server/site/served-share.ts';
import { readSigningPublicKey } from '#pxe-server/site/site-keys.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import { judgeStationPack } from '#pxe-server/stations/judge-station-pack.ts';
import { buildStationPack, packFile, universalPack } from '#pxe-server/stations/station-pack.ts';
import { listStations } from '#pxe-server/stations/station-registry.ts';
import { createProgressLine } from '../progress-line.ts';
import { buildRuntime } from '../runtime/build-runtime.ts';
import { projectRoot } from '../runtime/bundle.ts';
import { sharePart } from '../runtime/share-part.ts';
import { writeSiteRuntime } from '../runtime/site-runtime.ts';
import { provideUniversalPack } from '../runtime/universal-pack-cache.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';

/** Unpacked kernels and built runtimes, the same for every site of this checkout. */
const cacheDirectory = join(projectRoot, '.rekindle', 'cache');

interface BuildOptions extends SiteOption {
  readonly fast?: boolean;
  readonly kernel?: string;
  readonly newest?: boolean;
}

export function runtimeCommand(): Command {
  const command = new Command('runtime').description(
    'what stations boot: kernel, recovery runtime, driver packs',
  );
  withSite(command.command('build'))
    .description("build the runtime with this site's CA and key, and every driver pack for its kernel")
    .option('--fast', 'compress in a second instead of a minute, into a larger file')
    .option(
      '--kernel <release>',
      'a kernel of Debian that is not the newest: 6.1.0-50-amd64[=PACKAGE VERSION]',
    )
    .option('--newest', "ask apt for a newer kernel than the one that was fetched before: Debian's fixes")
    .action(build);
  return command;
}

async function build(options: BuildOptions): Promise<void> {
  const { state, configuration } = await openSite(options);
  const paths = sitePaths(options.site);
  const line = createProgressLine();
  const compressing = (what: string) => (doneBytes: number, totalBytes: number) =>
    line.show(`compressing ${what}`, doneBytes, totalBytes);
  const { kernel, initrd, manifest } = await buildRuntime({
    cacheDirectory,
    fast: options.fast ?? false,
    newestKernel: options.newest ?? false,
    ...(options.kernel === undefined ? {} : { wantedKernel: options.kernel }),
    onProgress: (sentence) => console.error(sentence),
    onCompressed: compressing('the runtime'),
  }).finally(() => line.end());
  const [caPem, publicKey] = await Promise.all([
    readFile(paths.caCertificate, 'utf8'),
    readSigningPublicKey(paths),
  ]);
  const share = shareKind(configuration.share);
  const runtime = await writeSiteRuntime({
    base: initrd.path,
    site: { caPem, imageSignerPublicKey: formatPublicKey(publicKey) },
    ...(share === null ? {} : { share: await sharePart(kernel, [share]) }),
    output: paths.runtimeImage,
  });
  await writeServedShare(paths, share);
  await writeServedKernel(paths, kernel);
  await writeServedRuntime(paths, manifest);
  console.log(`Kernel ${kernel.version} and runtime (${megabytes(runtime.bytes)}) are in ${paths.runtime}.`);

  console.error('building the universal driver pack (about half a minute, once)');
  const universal = await provideUniversalPack(
    paths,
    kernel,
    cacheDirectory,
    compressing('the universal pack'),
  ).finally(() => line.end());
  const { size } = await stat(packFile(paths, universalPack));
  console.log(`Universal driver pack (${megabytes(size)}): ${universal.modules.length} modules.`);
  const red: string[] = [];
  for (const station of listStations(state)) {
    const { name, passport } = station;
    const compressed = compressing(`the pack of ${name}`);
    const pack = await buildStationPack(paths, name, passport, compressed).finally(() => line.end());
    for (const { sentence } of pack.refusedModules) console.log(`  ${sentence}`);
    const judged = await judgeStationPack(paths, station, configuration.share);
    const verdict = judged.state === 'green' ? 'covers it' : `RED: ${judged.reasons.join('; ')}`;
    console.log(`Driver pack of ${name}: ${pack.manifest.modules.length} modules, ${verdict}.`);
    if (judged.state === 'red') red.push(name);
  }
  if (red.length === 0) return;
  throw new RekindleError(
    'verification-failed',
    `With kernel ${kernel.version} the driver packs do not cover ${red.join(', ')}`,
    {
      next: `rekindle driver-pack check ${red[0]}, or keep the other kernel: rekindle runtime build --kernel VERSION`,
    },
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
