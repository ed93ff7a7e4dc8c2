import type { HookKind, HookOf, HookPlan } from '#contract/hook.ts';
import type { Evidence, HookRecord, HookResult, SettledItem } from '#contract/hook-result.ts';
import type { HookWork } from '#contract/hook-work.ts';
import type { ImageManifest } from '#images/format/image-manifest.ts';
import type { SignedStore } from '#images/stores/signed-store.ts';

/** The server's part of a hook of one kind. Everything is optional: a kind has the parts that it needs. */
export interface ServerHook<Kind extends HookKind> {
  readonly kind: Kind;
  /** What it is called on screens and in reports, at most 72 characters. */
  title(hook: HookOf<Kind>): string;
  /** Before the first write. Only looks: `apply` is not called in this phase. */
  readonly preflight?: HookWork<ServerHookContext<Kind>>;
  /**
   * Makes what the station needs (an offline-join blob), when its disks are restored and verified. Called once a
   * job; what it returns is handed out once and not kept.
   */
  provide?(context: ServerHookContext<Kind>): Promise<readonly ProvidedFile[]>;
  /**
   * Looks from the server's side whether what the first boot reports is true. Called when the step reports `done` or
   * `unverified`; its result replaces the station's.
   */
  confirm?(context: ServerHookContext<Kind>, reported: HookRecord): Promise<Confirmed>;
}

export interface Confirmed {
  readonly result: HookResult;
  readonly evidence: readonly Evidence[];
  /** Ticked by the service, if nobody has done so. */
  readonly settled?: readonly SettledItem[];
}

export interface ProvidedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly secret: boolean;
}

export interface ServerHookContext<Kind extends HookKind> {
  readonly hook: HookOf<Kind>;
  readonly plan: HookPlan;
  readonly image: ImageUnderRestore;
  /** Records of this job until now: own and others', earlier phases first. */
  readonly earlier: readonly HookRecord[];
  /** Files of the configuration are relative to it. */
  readonly siteFolder: string;
  /** Aborted when the hook's time is over. */
  readonly signal: AbortSignal;
}

export interface ImageUnderRestore {
  /** STATION@<UTC time> */
  readonly ref: string;
  readonly manifest: ImageManifest;
  /** Where it lies. */
  readonly store: SignedStore;
}
