import { beginAnnouncement } from '#images/stores/announcement.ts';
import type { WritableStoreRef } from '#images/stores/chunk-store.ts';

/** A folder to capture into without publishing: the announcement goes away with the folder. */
export async function announcedStore(folder: string): Promise<WritableStoreRef> {
  await beginAnnouncement(folder, 'test');
  return { kind: 'directory', path: folder, announcement: 'test' };
}
