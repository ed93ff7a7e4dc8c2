import type { Command } from 'commander';
import { formatBytes } from '#base/bytes.ts';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef, type ImageName } from '#images/format/image-name.ts';
import type { PublicKey } from '#images/format/minisign.ts';
import { totalBytes } from '#images/format/system-state-room.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { readSystemState } from '#images/stores/system-state-files.ts';
import { type VerifiedState, verifySystemState } from '#images/system-state/verify-system-state.ts';
import { interruptSignal } from '../../interrupt-signal.ts';
import { createProgressLine } from '../../progress-line.ts';
import { choose } from '../image/choose-images.ts';
import { imageVerb, openImages, type StoreOption } from '../image/open-images.ts';
import { systemStatesOf } from './choose-states.ts';
import { whatNext } from './what-next.ts';

type Options = StoreOption & { readonly all?: boolean; readonly json?: boolean };

export function verifyCommand(): Command {
  return imageVerb('verify')
    .description('read system states again: signature, and every byte of every file')
    .argument('[states...]', 'STATION@latest, STATION@<UTC time>, or STATION for all of its states')
    .option('--all', 'every system state of the store')
    .option('--json', 'the result as JSON')
    .action(verify);
}

async function verify(wanted: readonly string[], options: Options): Promise<void> {
  const { store, key } = await openImages(options);
  const ref = parseStore(store);
  const names = await choose(systemStatesOf(store), wanted, options.all === true);
  if (names.length === 0)
    throw new RekindleError('not-found', `Verifying system states of ${store}: there is none at all`, {
      next: 'Check the path, and that the right disk or share is mounted.',
    });
  const total = await bytesOf(ref, names, key);
  const line = createProgressLine();
  using signal = interruptSignal();
  const verdicts: VerifiedState[] = [];
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    line.show('verifying', done, total);
  };
  try {
    for (const name of names) verdicts.push(await verifySystemState(ref, name, key, { signal, onBytes }));
  } finally {
    line.end();
  }
  const rows = verdicts.map(rowOf);
  if (options.json === true) console.log(JSON.stringify(rows));
  else
    for (const { ref, result, files, bytes } of rows)
      console.log(
        `${ref.padEnd(40)} ${(result === 'whole' ? result : 'DAMAGED').padEnd(8)} ${files} files, ${formatBytes(bytes)}`,
      );
  assertWhole(rows);
}

/** For the progress only: what cannot be read is judged by the verification. */
async function bytesOf(ref: StoreRef, names: readonly ImageName[], key: PublicKey): Promise<number> {
  let bytes = 0;
  for (const name of names) {
    const manifest = await readSystemState(ref, name, key).catch(() => undefined);
    bytes += totalBytes(manifest?.files ?? []);
  }
  return bytes;
}

function rowOf({ name, manifest, problems }: VerifiedState) {
  return {
    ref: formatImageRef(name),
    result: problems.length === 0 ? 'whole' : 'damaged',
    files: manifest?.files.length ?? 0,
    bytes: totalBytes(manifest?.files ?? []),
    problems,
  };
}

/** @throws RekindleError `verification-failed` */
function assertWhole(rows: readonly ReturnType<typeof rowOf>[]): void {
  const damaged = rows.filter(({ result }) => result === 'damaged');
  if (damaged.length === 0) return;
  const problems = damaged.flatMap((row) => row.problems);
  const lines = [
    `${damaged.length} of ${rows.length} system states are damaged: ${damaged.map(({ ref }) => ref).join(', ')}`,
    ...problems.slice(0, 20).map((problem) => `  ${problem}`),
    ...(problems.length > 20 ? [`  and ${problems.length - 20} more`] : []),
  ];
  throw new RekindleError('verification-failed', lines.join('\n'), {
    next: whatNext(problems),
  });
}
