import type { StationTicket } from '#contract/station-ticket.ts';
import { headerScreen } from './console/screens.ts';
import { texts } from './console/texts.ts';
import type { Ending } from './engine/findings.ts';
import type { Inventory } from './inventory/inventory.ts';
import { findOwnDiskMedium } from './medium/own-disk-medium.ts';
import { recoverDisks } from './recover-disks.ts';
import { byRule } from './restore/restore-scope.ts';
import { assertIdentity } from './steps/check-identity.ts';
import { askName, readMediumImage } from './steps/medium-image.ts';
import type { Workshop } from './workflow.ts';
import type { SiteKeys } from './workflow-machine.ts';

/**
 * Brings a station back with the image that lies on its medium: no network, no service, nobody who logs on. What
 * stands for them: the signed ticket (this station, this image), identical hardware, and the name typed in full.
 */
export async function recoverFromMedium(
  shop: Workshop,
  ticket: StationTicket,
  { site, inventory }: { readonly site: SiteKeys; readonly inventory: Inventory },
): Promise<Ending> {
  const { run, terminal, machine, findings, boot } = shop;
  const { station } = ticket;
  const alone = { station, technician: texts.nobody, openedAt: machine.now() };
  shop.alone = alone;
  terminal.print(headerScreen({ purpose: boot.purpose, server: texts.fromMedium, station }));
  const image = await run.step(readMediumImage, { medium: shop.medium, ticket, site });
  shop.alone = { ...alone, image };
  const identity = await run.step(assertIdentity, {
    image: image.passport,
    // What the station was when the medium was built: parts that were replaced and confirmed until then are in it.
    registered: ticket.passport,
    machine: inventory.passport,
    onRefused: (differences) => {
      findings.differences = differences;
    },
  });
  findings.differences = identity.differences;
  const technician = await run.step(askName, { terminal });
  shop.alone = { ...alone, image, technician };
  findings.unverified.push(texts.nobodyChecked(technician));
  const done = await recoverDisks({
    ...{ run, terminal, machine, findings, inventory, image, identity, scope: byRule },
    dryRun: boot.dryRun,
    by: { how: 'typed', name: technician },
    startedFrom: await findOwnDiskMedium(ticket, shop.medium),
  });
  return done.kind === 'dry-run' ? { kind: 'dry-run' } : { kind: 'restored', station };
}
