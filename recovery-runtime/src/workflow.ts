import { RekindleError } from '#base/errors.ts';
import { serverName } from '#contract/api.ts';
import type { Share } from '#contract/share.ts';
import type { StationTicket } from '#contract/station-ticket.ts';
import type { StationName } from '#images/format/image-manifest.ts';
import type { HttpStoreRef, WritableStoreRef } from '#images/stores/chunk-store.ts';
import { headerScreen } from './console/screens.ts';
import type { Terminal } from './console/terminal.ts';
import { texts } from './console/texts.ts';
import type { PackLoad } from './drivers/load-driver-pack.ts';
import type { EventPost } from './engine/event-post.ts';
import type { Ending, Findings } from './engine/findings.ts';
import type { LocalRunFacts } from './engine/local-report.ts';
import type { Run } from './engine/run.ts';
import type { Inventory } from './inventory/inventory.ts';
import type { OpenMedium } from './medium/open-medium.ts';
import { findOwnDiskMedium } from './medium/own-disk-medium.ts';
import { recoverDisks } from './recover-disks.ts';
import { recoverFromMedium } from './recover-from-medium.ts';
import { byRule } from './restore/restore-scope.ts';
import { postEvents } from './server-client/calls.ts';
import { storeOverHttps } from './server-client/image-files.ts';
import { createServerClient, type ServerClient } from './server-client/server-client.ts';
import type { ShareAccess } from './shares/mount-call.ts';
import type { MountedShare } from './shares/mount-share.ts';
import {
  captureDisks,
  chooseCaptureDisks,
  commitImage,
  confirmCapture,
  openCapture,
} from './steps/capture.ts';
import { assertIdentity } from './steps/check-identity.ts';
import { checkMedium, checkTicket } from './steps/check-medium.ts';
import { chooseImage, listStationImages } from './steps/choose-image.ts';
import type { BootCommandLine } from './steps/command-line.ts';
import { enrolThisStation, nameStation } from './steps/enrol.ts';
import { askIfArmed, logOnTechnician } from './steps/log-on.ts';
import { mountStore } from './steps/mount-store.ts';
import { checkImage, openJob, type SignedImage } from './steps/open-job.ts';
import { bringUpNetwork, findServer, loadDrivers, readSite, takePassport } from './steps/start-machine.ts';
import { preflightHooks } from './steps/station-hooks.ts';
import type { Machine, SiteKeys } from './workflow-machine.ts';

/** What a run works with. */
export interface Workshop {
  readonly boot: BootCommandLine;
  readonly machine: Machine;
  readonly terminal: Terminal;
  readonly run: Run;
  readonly events: EventPost;
  readonly findings: Findings;
  /** Set as soon as there is one, for whoever ends the run to close. */
  server?: ServerClient;
  /** Set as soon as there is a job: where events and the report go. */
  openJob?: OpenJob;
  /** Mounted for the job; whoever ends the run unmounts it. */
  share?: MountedShare;
  /** What this machine booted from, mounted for as long as the run lasts. */
  medium?: OpenMedium;
  /** Set when the run goes on without the service: what its report says. */
  alone?: Omit<LocalRunFacts, 'closedAt' | 'machine' | 'image'> & { readonly image?: SignedImage };
}

export interface OpenJob {
  readonly server: ServerClient;
  readonly jobId: string;
  readonly token: string;
}

interface Started {
  readonly ticket: StationTicket | undefined;
  readonly site: SiteKeys;
  readonly inventory: Inventory;
  readonly server: ServerClient;
}

/** From the first line to the ending: the steps of a recovery or of an enrolment, in order. */
export async function runWorkflow(shop: Workshop): Promise<Ending> {
  const { boot } = shop;
  const fromMedium = boot.imageFrom === 'medium';
  shop.terminal.print(headerScreen(fromMedium ? { ...boot, server: texts.fromMedium } : boot));
  const looked = await lookAtMachine(shop);
  if (fromMedium) {
    if (looked.ticket !== undefined) return recoverFromMedium(shop, looked.ticket, looked);
    throw new RekindleError(
      'usage',
      'looking for the ticket of the medium: this machine did not boot from one',
      {
        next: 'Start this machine from its recovery medium, or from the network (F12).',
      },
    );
  }
  const started = await joinNetwork(shop, looked);
  return boot.purpose === 'recovery' ? recover(shop, started) : enrol(shop, started);
}

interface Looked extends Pick<Started, 'site' | 'inventory'> {
  readonly drivers: PackLoad;
  /** Of the medium that this machine booted from. */
  readonly ticket?: StationTicket;
}

/** Drivers, hardware, and the medium where there is one: what every run needs first. */
async function lookAtMachine(shop: Workshop): Promise<Looked> {
  const { run, machine, findings } = shop;
  const site = await run.step(readSite, { machine });
  const drivers = await run.step(loadDrivers, { machine, site });
  const inventory = await run.step(takePassport, { machine });
  findings.passport = inventory.passport;
  findings.bootTrust = inventory.bootTrust;
  const signedTicket = await machine.readTicket();
  if (signedTicket === undefined) return { site, inventory, drivers };
  const ticket = await run.step(checkTicket, { signedTicket, site, passport: inventory.passport });
  await run.step(checkMedium, {
    machine,
    ticket,
    onOpen: (medium) => {
      shop.medium = medium;
    },
    onUnverified: (sentence) => findings.unverified.push(sentence),
  });
  return { site, inventory, drivers, ticket };
}

async function joinNetwork(shop: Workshop, { site, inventory, drivers, ticket }: Looked): Promise<Started> {
  const { run, machine, boot } = shop;
  await run.step(bringUpNetwork, { machine, boot, drivers, passport: inventory.passport });
  const server = createServerClient({ url: boot.server, ca: site.ca, serverName });
  shop.server = server;
  await run.step(findServer, { server });
  return { site, inventory, server, ticket };
}

/** Brings a station back. All that is here only reads; `recoverDisks` has the line below which disks are written. */
async function recover(shop: Workshop, { site, inventory, server, ticket }: Started): Promise<Ending> {
  const { run, terminal, machine, findings, boot } = shop;
  const { passport } = inventory;

  const order = await takeOrder(shop, server, inventory);
  const { station } = order;
  terminal.print(headerScreen({ ...boot, station }));
  const job = await run.step(openJob, { server, passport, ...order });
  followJob(shop, { server, ...job });

  const signed = await run.step(checkImage, { server, job, site });
  const identity = await run.step(assertIdentity, {
    image: signed.passport,
    registered: job.registeredPassport,
    machine: passport,
    onRefused: (differences) => {
      findings.differences = differences;
    },
  });
  findings.differences = identity.differences;
  const image = { ...signed, source: await findChunks(shop, job, storeOverHttps(server, job), 'read') };
  const by =
    order.armed === undefined
      ? { how: 'typed' as const, name: order.technician }
      : { how: 'armed' as const, name: order.technician, acceptsReplaced: order.armed.acceptsReplaced };
  const hooks = await run.step(preflightHooks, { server, job, manifest: signed.manifest });
  const startedFrom = await findOwnDiskMedium(ticket, shop.medium);
  const shared = { run, terminal, machine, findings, inventory, startedFrom };
  const { dryRun } = boot;
  const done = await recoverDisks({ ...shared, image, identity, scope: byRule, dryRun, by, hooks });
  return done.kind === 'dry-run' ? { kind: 'dry-run' } : { kind: 'restored', station };
}

/** Who asks for which image: an armed station needs nobody, every other one a technician. */
interface Order {
  readonly token: string;
  readonly station: StationName;
  readonly image: string;
  readonly technician: string;
  readonly armed?: { readonly acceptsReplaced: boolean };
}

async function takeOrder(shop: Workshop, server: ServerClient, { passport }: Inventory): Promise<Order> {
  const { run, terminal } = shop;
  const armed = await run.step(askIfArmed, { server, passport });
  if (armed !== null) {
    const { token, image, by, acceptsReplaced } = armed;
    return { token, image, station: armed.station.name, technician: by, armed: { acceptsReplaced } };
  }
  const session = await run.step(logOnTechnician, { server, passport, terminal });
  const oddities = session.oddities.join(' ');
  if (session.station === null) {
    throw new RekindleError(
      'not-found',
      'looking for this machine among the known stations: it is none of them',
      {
        ...(oddities === '' ? {} : { cause: new Error(oddities) }),
        next: 'Enrol it while it is healthy (rekindle enrol open), or find out which part of it was replaced.',
      },
    );
  }
  const { token, technician } = session;
  const station = session.station.name;
  const images = await run.step(listStationImages, { server, token, station });
  const image = await run.step(chooseImage, { terminal, images });
  return { token, technician, station, image };
}

/** Gives a machine a name and takes its image. Its disks are only read. */
async function enrol(shop: Workshop, { inventory, server }: Started): Promise<Ending> {
  const { run, terminal, machine, boot } = shop;
  const { passport } = inventory;

  const { token, station: known } = await run.step(logOnTechnician, { server, passport, terminal });
  const name = await run.step(nameStation, { terminal, known });
  const station = await run.step(enrolThisStation, { server, token, passport, name, known });
  terminal.print(headerScreen({ ...boot, station }));

  const job = await run.step(openCapture, { server, token, station, passport });
  followJob(shop, { server, ...job });
  const disks = await run.step(chooseCaptureDisks, { inventory });
  if (boot.dryRun) return { kind: 'dry-run' };
  await run.step(confirmCapture, { terminal, station, disks });
  const store = await findChunks(shop, job, storeOverHttps(server, job), 'write');
  const firmware = machine.bootEntries;
  const image = await run.step(captureDisks, { store, job, disks, passport, firmware });
  const ref = await run.step(commitImage, { server, job, image });
  return { kind: 'captured', image: ref };
}

/**
 * Chunks are behind the service, or on the share that the job names and brings the means for; the service has
 * announced a capture there under the job's id.
 */
async function findChunks(
  shop: Workshop,
  { share, jobId }: { readonly share: Share | null; readonly jobId: string },
  overHttps: HttpStoreRef,
  access: ShareAccess,
): Promise<WritableStoreRef> {
  if (share === null) return overHttps;
  const { run, machine } = shop;
  shop.share = await run.step(mountStore, { machine, share, access });
  const { folder, description } = shop.share;
  return { kind: 'directory', path: folder, description, announcement: jobId };
}

/** From now on the service sees every step, and gets the report. */
function followJob(shop: Workshop, job: OpenJob): void {
  shop.openJob = job;
  shop.events.sendTo((events) => postEvents(job.server, job, events));
}
