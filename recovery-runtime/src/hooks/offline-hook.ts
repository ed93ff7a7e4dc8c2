import type { FirstBootStep, HookMaterial } from '#contract/first-boot.ts';
import type { HookKind, HookOf } from '#contract/hook.ts';
import type { HookRecord } from '#contract/hook-result.ts';
import type { HookWork } from '#contract/hook-work.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { NetworkCard } from '#images/passport/hardware-passport.ts';
import type { SignedStore } from '#images/stores/signed-store.ts';
import type { FirstBootFile } from '../first-boot/stage-first-boot.ts';
import type { RestoredSystem } from './restored-system.ts';

/**
 * The runtime's part of a hook: what is done to the restored system before it starts, and what is staged for its
 * first boot. `verify` answers `staged` where the rest happens there.
 */
export interface OfflineHook<Kind extends HookKind> {
  readonly kind: Kind;
  readonly offline: HookWork<OfflineContext<Kind>>;
}

export interface OfflineContext<Kind extends HookKind> {
  readonly hook: HookOf<Kind>;
  /** STATION@<UTC time> */
  readonly ref: string;
  readonly manifest: ImageManifest;
  /** Where the image comes from: what else of this station lies there is signed by the same key. */
  readonly store: SignedStore;
  /** Records of this job until now, of preflight too. */
  readonly earlier: readonly HookRecord[];
  /** Mounted for the hooks, unmounted when the last of them has ended. */
  readonly system: RestoredSystem;
  /** What the server made for this hook (its `provide`). */
  readonly files: HookMaterial['files'];
  readonly stage: FirstBootStage;
  /** Of the image and of the machine, in slot order. */
  readonly networkCards: { readonly image: readonly NetworkCard[]; readonly machine: readonly NetworkCard[] };
  /** A file that the runtime brings along for restored systems. */
  readFirstBootFile(name: FirstBootFile): Promise<Uint8Array>;
  readonly signal: AbortSignal;
  say(sentence: string): void;
}

/** What hooks want to have done at the first boot. Written into the restored system after the last offline hook. */
export interface FirstBootStage {
  /** A file beside the agent, readable by administrators only. */
  addFile(file: { readonly name: string; readonly bytes: Uint8Array; readonly executable?: boolean }): void;
  /** At the end of the list; its hook, title and order are the hook's own, its time too when it says none. */
  addStep(
    step: Pick<FirstBootStep, 'command'> &
      Partial<Pick<FirstBootStep, 'secretFiles' | 'retrySeconds' | 'tries' | 'timeoutSeconds'>>,
  ): void;
}
