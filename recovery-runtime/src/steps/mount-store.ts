import { describeShare, type Share } from '#contract/share.ts';
import { texts, titles } from '../console/texts.ts';
import { readingStep } from '../engine/step.ts';
import type { ShareAccess } from '../shares/mount-call.ts';
import type { MountedShare } from '../shares/mount-share.ts';
import type { Machine } from '../workflow-machine.ts';

/** The image store on a share: mounted with what the job brought along, for reading only unless an image is taken. */
export const mountStore = readingStep<
  { readonly machine: Machine; readonly share: Share; readonly access: ShareAccess },
  MountedShare
>({
  id: 'mount-store',
  title: titles['mount-store'],
  async run({ machine, share, access }) {
    const mounted = await machine.mountShare(share, access);
    return { value: mounted, sentence: texts.storeMounted(describeShare(share), isSealed(share)) };
  },
});

const isSealed = (share: Share): boolean => share.kind === 'smb' && share.seal;
