import type { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { formatImageRef, parseImageRef } from '#images/format/image-name.ts';
import { parseStore } from '#images/stores/open-store.ts';
import { resolveSystemState } from '#images/stores/system-state-files.ts';
import { clearLeftovers, removeSystemStates } from '#images/system-state/remove-system-states.ts';
import { openRestoresOf } from '#pxe-server/jobs/images-in-use.ts';
import { openSite } from '../../site-option.ts';
import {
  assertFolderStore,
  assertThere,
  imageVerb,
  type StoreOption,
  storeOf,
} from '../image/open-images.ts';

export function removeCommand(): Command {
  return imageVerb('remove')
    .description('remove a system state from the store, unless a restore of its station is open')
    .argument('<ref>', 'STATION@latest or STATION@<UTC time>')
    .action(remove);
}

async function remove(text: string, options: StoreOption): Promise<void> {
  const site = await openSite(options);
  const store = storeOf(site, options);
  assertFolderStore(store, 'system-state remove');
  await assertThere(store);
  const name = await resolveSystemState(parseStore(store), parseImageRef(text, 'system state'));
  const ref = formatImageRef(name);
  let open: readonly string[] = [];
  const isNeeded = (): boolean => {
    open = openRestoresOf(site.state, name.station);
    return open.length > 0;
  };
  if (!(await removeSystemStates(store, [name], isNeeded)))
    throw new RekindleError(
      'usage',
      `Removing system state ${ref}: a restore of ${name.station} is open (job ${open[0]})`,
      { next: 'Remove it when the restore, or the next one of this station, has ended.' },
    );
  await clearLeftovers(store, name.station);
  console.log(`System state ${ref} is removed.`);
}
