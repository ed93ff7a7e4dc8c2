import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { texts, titles } from '../console/texts.ts';
import { formatPackLoad, type PackLoad } from '../drivers/load-driver-pack.ts';
import { formatOtherModel } from '../drivers/other-models.ts';
import { readingStep } from '../engine/step.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { NetworkUp } from '../network/bring-up.ts';
import { reachServer } from '../server-client/calls.ts';
import type { ServerClient } from '../server-client/server-client.ts';
import type { Machine, SiteKeys } from '../workflow-machine.ts';
import type { BootCommandLine } from './command-line.ts';

/** The steps that make a machine able to talk to the service. None of them writes to a disk. */

export const readSite = readingStep<{ readonly machine: Machine }, SiteKeys>({
  id: 'read-site',
  title: titles['read-site'],
  async run({ machine }) {
    return { value: await machine.readSiteKeys(), sentence: `${titles['read-site']}.` };
  },
});

export const loadDrivers = readingStep<{ readonly machine: Machine; readonly site: SiteKeys }, PackLoad>({
  id: 'load-drivers',
  title: titles['load-drivers'],
  async run({ machine, site }, { say }) {
    const load = await machine.loadDrivers(site);
    for (const line of formatPackLoad(load)) say(line);
    const modules =
      load.kind === 'loaded'
        ? load.modules.filter(({ outcome }) => ['loaded', 'was-loaded'].includes(outcome))
        : [];
    return {
      value: load,
      sentence: load.kind === 'loaded' ? texts.driversLoaded(modules.length) : texts.noDrivers,
      skipped: load.kind !== 'loaded',
    };
  },
});

export const bringUpNetwork = readingStep<
  {
    readonly machine: Machine;
    readonly boot: BootCommandLine;
    readonly drivers: PackLoad;
    readonly passport: HardwarePassport;
  },
  NetworkUp
>({
  id: 'bring-up-network',
  title: titles['bring-up-network'],
  async run({ machine, boot: { bootMac, network: settings, server }, drivers, passport }, { say }) {
    try {
      const host = new URL(server).hostname;
      const network = await machine.bringUpBootCard({ bootMac, network: settings, server: host, say });
      const isOwn = passport.networkCards.some(({ mac }) => mac === network.mac);
      const sentence = texts.networkUp(network);
      return { value: network, sentence: isOwn ? sentence : `${sentence} ${texts.notOwnCard(network.mac)}` };
    } catch (cause) {
      if (drivers.withoutDriver.length === 0) throw cause;
      const otherModels = drivers.kind === 'loaded' ? drivers.otherModels : [];
      if (otherModels.length > 0) {
        throw new RekindleError('hardware-not-identical', texts.otherModels(bootMac), {
          cause: new Error(otherModels.map(formatOtherModel).join(' '), { cause }),
          next: "Put the station's own parts back. There is no restore onto other hardware.",
        });
      }
      // The card may well be there, without a driver: that is the first thing to look at.
      const devices = drivers.withoutDriver.map(({ id, className }) => `${id} (${className})`);
      throw new RekindleError('unexpected', texts.withoutDriver(devices), {
        cause,
        next: "Rebuild the station's driver pack (rekindle driver-pack build) and boot again.",
      });
    }
  },
});

export const takePassport = readingStep<{ readonly machine: Pick<Machine, 'takeInventory'> }, Inventory>({
  id: 'take-passport',
  title: titles['take-passport'],
  async run({ machine }) {
    const inventory = await machine.takeInventory();
    const { passport } = inventory;
    const { vendor, product, serial } = passport.system;
    const what = [vendor, product, serial === '' ? '' : `serial ${serial}`]
      .filter((each) => each !== '')
      .join(' ');
    return {
      value: inventory,
      sentence: texts.machine(what, passport.networkCards.length, passport.disks.length, inventory.bootTrust),
    };
  },
});

/** A service that is just starting is there within that. */
const tries = 6;
const pauseSeconds = 10;

export const findServer = readingStep<{ readonly server: ServerClient }, ServerClient>({
  id: 'reach-server',
  title: titles['reach-server'],
  async run({ server }, { say }) {
    for (let tried = 1; ; tried += 1) {
      try {
        await reachServer(server);
        return { value: server, sentence: texts.serverReached(server.address.url) };
      } catch (error) {
        const lasting = !(error instanceof RekindleError) || error.details['lasting'] === true;
        if (lasting || tried === tries) throw error;
        say(texts.serverRetry(pauseSeconds));
        await sleep(pauseSeconds * 1000);
      }
    }
  },
});
