import { isAbsolute } from 'node:path';
import * as z from 'zod';
import { type Ipv4Address, ipv4ToNumber } from '../boot/ipv4-address.ts';
import { bootSchema } from './boot-configuration.ts';
import { shareSchema } from './share-configuration.ts';

/**
 * `rekindle.yaml`: every key with its meaning and default. Unknown keys are refused, so that a typing error
 * never silently means "default". The table in scripts/README.md is generated from this schema.
 */

const ipv4Address = z.ipv4('an IPv4 address, e.g. 10.77.0.1');
const port = z.int().min(1).max(65535);

/** Compared also when one of them was refused already: zod goes on to name everything that is wrong. */
const numberOf = (address: string): number => ipv4ToNumber(address as Ipv4Address);
const addressRangeSchema = z
  .strictObject({ from: ipv4Address, to: ipv4Address })
  .refine(({ from, to }) => numberOf(from) <= numberOf(to), { error: '`from` must not be above `to`' });

const interfaceName = z.string().min(1).max(15);

const relayedNetworkSchema = z.strictObject({
  network: z.cidrv4('a network with its prefix length, e.g. 10.88.0.0/24'),
  router: ipv4Address.optional(),
  dns: z.array(ipv4Address).max(4).optional(),
});

const dhcpSchema = z.strictObject({
  mode: z
    .enum(['proxy', 'reservation'])
    .default('proxy')
    .describe('`proxy`: another DHCP server gives addresses. `reservation`: we do, to known stations only.'),
  stations: addressRangeSchema
    .optional()
    .describe(
      'A station enrolled without an address gets a free one from here; in proxy mode only one with Secure Boot, which needs it.',
    ),
  enrolmentPool: addressRangeSchema
    .optional()
    .describe(
      'Short leases for unknown machines while an enrolment window is open; in proxy mode for `boot.loader: signed-grub` only.',
    ),
  router: ipv4Address.optional().describe('Reservation mode: default router that stations are told.'),
  dns: z.array(ipv4Address).max(4).default([]).describe('Reservation mode: name servers for stations.'),
  networks: z
    .array(relayedNetworkSchema)
    .max(64)
    .default([])
    .describe(
      'Reservation mode: networks behind DHCP relays, each `network: 10.88.0.0/24` with its own `router` and `dns`.',
    ),
  leaseSeconds: z
    .int()
    .min(120)
    .max(604800)
    .default(86400)
    .describe("Reservation mode: lease time of a station's address, seconds."),
});

const lockOutSchema = z.strictObject({
  tries: z
    .int()
    .min(1)
    .max(100)
    .default(5)
    .describe('Wrong passwords, per user and per machine, until a lock.'),
  lockMinutes: z.int().min(1).max(1440).default(15).describe('How long a lock lasts.'),
});
export type LockOutPolicy = z.infer<typeof lockOutSchema>;

const kept = (count: number) => z.int().min(0).max(1000).default(count);

/** `image prune` keeps what any of these says; it removes nothing unless it is called. */
const pruneSchema = z.strictObject({
  count: kept(3).describe('`image prune` keeps the newest so many images of a station.'),
  lastDays: kept(0).describe('… and all within so many days before the newest.'),
  daily: kept(7).describe('… and the newest of each of so many days that have an image.'),
  weekly: kept(4).describe('… and the newest of each of so many weeks.'),
  monthly: kept(12).describe('… and the newest of each of so many months.'),
  yearly: kept(10).describe('… and the newest of each of so many years.'),
});

export const configurationSchema = z
  .strictObject({
    interface: z
      .union([interfaceName, z.array(interfaceName).min(1).max(16)])
      .describe(
        'Network interface that is served, or a list of them. Broadcasts on others are not heard; what is sent to a served address is answered by whichever card it comes. Required.',
      ),
    address: ipv4Address
      .optional()
      .describe("Our IPv4 address on that interface, when it is one; absent: the interface's first one."),
    dhcp: dhcpSchema.prefault({}),
    boot: bootSchema.prefault({}),
    tftp: z
      .strictObject({
        port: port.default(69).describe('UDP port for loaders; firmware asks at 69.'),
        singlePort: z
          .boolean()
          .default(false)
          .describe('Send loaders from that port too, for firewalls that know no TFTP.'),
      })
      .prefault({}),
    http: z
      .strictObject({ port: port.default(8080).describe('TCP port for boot files; nothing secret there.') })
      .prefault({}),
    https: z
      .strictObject({ port: port.default(8443).describe('TCP port of the API and the image store.') })
      .prefault({}),
    store: z
      .string()
      .min(1)
      .default('images')
      .describe('Image store folder; relative to the site folder unless absolute.'),
    share: shareSchema.optional(),
    logOn: lockOutSchema.prefault({}),
    tokens: z
      .strictObject({
        sessionMinutes: z.int().min(5).max(1440).default(60).describe("Life of a technician's log-on."),
        jobHours: z.int().min(1).max(168).default(24).describe('Life of a restore or capture token.'),
      })
      .prefault({}),
    volumes: z
      .strictObject({
        data: z
          .array(z.string().min(1).max(72))
          .default(['PROJECTS'])
          .describe('Labels or partition names of data volumes, which a restore leaves alone.'),
      })
      .prefault({}),
    prune: pruneSchema.prefault({}),
    gc: z
      .strictObject({
        graceHours: z
          .int()
          .min(1)
          .max(8760)
          .default(24)
          .describe(
            'A chunk in no image is left alone for so long; a capture silent for so long counts as interrupted.',
          ),
      })
      .prefault({}),
    captures: z
      .strictObject({
        oneAtATime: z
          .boolean()
          .default(true)
          .describe('Only one capture at a time writes into the store; the next one waits its turn.'),
        bufferMinutes: z
          .int()
          .min(0)
          .max(1440)
          .default(0)
          .describe('Time between the end of a capture and the start of the next one.'),
        terminalBusKBs: z
          .int()
          .min(16)
          .max(10_000_000)
          .default(2500)
          .describe(
            'What a station marked `--terminal-bus on` may read and send, KB/s (1 KB is 1024 bytes).',
          ),
        maxLoadPercent: z
          .int()
          .min(1)
          .max(100)
          .default(100)
          .describe('Share of the time that a station works for its capture; 100 is as fast as it can.'),
      })
      .prefault({}),
    rehearsals: z
      .strictObject({
        validDays: z
          .int()
          .min(1)
          .max(3650)
          .default(180)
          .describe('Days for which a rehearsal of a station counts; an older one counts as none.'),
      })
      .prefault({}),
    journal: z
      .strictObject({
        boots: z.int().min(1).max(1000).default(20).describe('Boot conversations kept for each machine.'),
      })
      .prefault({}),
  })
  .superRefine((configuration, context) => {
    const { mode, ...dhcp } = configuration.dhcp;
    if (mode === 'proxy') {
      if (dhcp.router !== undefined) {
        const key = 'router';
        context.addIssue({
          code: 'custom',
          path: ['dhcp', key],
          message: 'only means something in reservation mode; in proxy mode the other DHCP server decides',
        });
      }
    }
    const names = configuration.boot.systems.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      context.addIssue({
        code: 'custom',
        path: ['boot', 'systems', index, 'name'],
        message: 'is there twice',
      });
    }
    if (Array.isArray(configuration.interface) && configuration.address !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['address'],
        message: 'only means something with one interface; of several the first address of each is used',
      });
    }
    if (configuration.http.port === configuration.https.port) {
      context.addIssue({
        code: 'custom',
        path: ['https', 'port'],
        message: 'must differ from http.port',
      });
    }
  });

export type Configuration = z.infer<typeof configurationSchema>;

/** The interfaces that are served, each once. */
export function interfaceNames({ interface: names }: Pick<Configuration, 'interface'>): string[] {
  return [...new Set([names].flat())];
}

/** Absolute path of the image store. */
export function storeFolder(configuration: Configuration, siteFolder: string): string {
  return isAbsolute(configuration.store) ? configuration.store : `${siteFolder}/${configuration.store}`;
}
