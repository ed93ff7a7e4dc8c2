import type { Share } from '#contract/share.ts';
import type { StationTicket } from '#contract/station-ticket.ts';
import type { BootEntry } from '#images/format/image-manifest.ts';
import type { PackLoad } from './drivers/load-driver-pack.ts';
import type { RunClock } from './engine/run.ts';
import type { BootVariables } from './firmware/boot-entries.ts';
import type { FirstBootFile } from './first-boot/stage-first-boot.ts';
import type { OpenSystem, RestoredDisk } from './hooks/open-restored-system.ts';
import type { Inventory } from './inventory/inventory.ts';
import type { OpenMedium } from './medium/open-medium.ts';
import type { SignedTicket } from './medium/station-ticket.ts';
import type { BringUpOptions, NetworkUp } from './network/bring-up.ts';
import type { ShareAccess } from './shares/mount-call.ts';
import type { MountedShare } from './shares/mount-share.ts';

/** What the site's administrator put into the runtime: public, and the root of all trust here. */
export interface SiteKeys {
  /** PEM of the CA that the service's certificate must come from. */
  readonly ca: string;
  /** minisign public key file of the image signer. */
  readonly imageSigner: string;
}

/** UEFI boot variables; absent on a machine that was started by BIOS. */
export interface FirmwareBootEntries {
  read(): Promise<BootVariables>;
  writeEntry(entry: BootEntry): Promise<void>;
  writeOrder(order: readonly string[]): Promise<void>;
}

/** Everything of the machine itself that the workflow touches, apart from reading and writing its disks. */
export interface Machine extends RunClock {
  readSiteKeys(): Promise<SiteKeys>;
  /** Only when the machine booted from a recovery medium. */
  readTicket(): Promise<SignedTicket | undefined>;
  openMedium(ticket: StationTicket): Promise<OpenMedium | undefined>;
  /** The pack has to be signed with the site's key. */
  loadDrivers(site: SiteKeys): Promise<PackLoad>;
  bringUpBootCard(options: BringUpOptions): Promise<NetworkUp>;
  takeInventory(): Promise<Inventory>;
  mountShare(share: Share, access: ShareAccess): Promise<MountedShare>;
  readonly bootEntries: FirmwareBootEntries | undefined;
  /** Mounts what was restored, for the hooks. */
  openRestoredSystem(disks: readonly RestoredDisk[]): Promise<OpenSystem>;
  readFirstBootFile(file: FirstBootFile): Promise<Uint8Array>;
  /** A shell on the console of that name; comes back when it ends. */
  runShell(console: string): Promise<void>;
  /** What the machine does when this program has ended. */
  restart(): Promise<void>;
  powerOff(): Promise<void>;
}
