import type { OfferedSystem } from './other-systems.ts';

/** The recovery runtime with a station's drivers; every loader says it in its own language. */
export interface RuntimeBoot {
  /** Shown to the technician: `recovery of OS-SRV-1A`, `enrolment`. */
  readonly title: string;
  /** Name of the driver pack. */
  readonly pack: string;
  /** Words of the kernel command line. Nothing secret: anybody on the network can read it. */
  readonly commandLine: readonly string[];
}

export interface Refusal {
  readonly kind: 'refusal';
  readonly reason: string;
}

/** What a machine boots now, before any loader's words for it. */
export type ChosenBoot =
  | ({ readonly kind: 'runtime' } & RuntimeBoot)
  | {
      readonly kind: 'menu';
      readonly station: string;
      readonly recovery: ({ readonly kind: 'runtime' } & RuntimeBoot) | Refusal;
      readonly others: readonly OfferedSystem[];
      /** Name of the item that starts when nobody presses a key. */
      readonly withoutKey: 'local-disk' | 'recovery';
      readonly seconds: number;
    }
  | { readonly kind: 'local-disk' }
  | { readonly kind: 'other'; readonly system: OfferedSystem }
  /** Its network card is nobody's; a loader that can say the system's UUID is asked for it. */
  | { readonly kind: 'uuid-wanted'; readonly reason: string }
  | Refusal;

/** Paths below the base URL of the boot files, and without the first slash by TFTP. */
export const kernelPath = '/boot/vmlinuz';
export const runtimePath = '/boot/runtime.img';
export function packPath(pack: string): string {
  return `/boot/packs/${pack}.img`;
}
