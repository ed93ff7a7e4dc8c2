import * as z from 'zod';
import { type StationNetwork, stationNetworkSchema } from '#contract/station-network.ts';
import { type StationName, stationNameSchema } from '#images/format/image-manifest.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { type Loader, loaders } from '../boot/loader-name.ts';

export const stationRoleSchema = z.enum(['server', 'client', 'engineering-station', 'domain-controller']);
export type StationRole = z.infer<typeof stationRoleSchema>;

export const loaderSchema = z.enum(loaders);

/** A machine that we may have to recover, as the registry knows it. */
export interface Station {
  readonly name: StationName;
  /** The image's passport, with the parts that were replaced since then and confirmed. */
  readonly passport: HardwarePassport;
  /** Reservation mode: its address. */
  readonly address?: string;
  /** What its firmware loads, where somebody has set it (`loaderOf` says what it is otherwise). */
  readonly loader?: Loader;
  readonly computerName: string;
  readonly role: StationRole;
  /** Its only way to us is the plant's terminal bus, which a capture must not fill. */
  readonly onTerminalBus: boolean;
  /** How its runtime reaches the network, where a plain DHCP port is not what it has. */
  readonly network: StationNetwork;
  readonly enrolledAt: Date;
  readonly enrolledBy: string;
}

const stationRowSchema = z.object({
  name: stationNameSchema,
  passport: z.string(),
  address: z.string().nullable(),
  loader: loaderSchema.nullable(),
  computer_name: z.string(),
  station_role: stationRoleSchema,
  terminal_bus: z.int(),
  network: z.string(),
  enrolled_at: z.int(),
  enrolled_by: z.string(),
});

/** Asked for with every packet of a boot, and always the same: by its text, the newest last. */
const parsedPassports = new Map<string, HardwarePassport>();
const rememberedPassports = 1024;

function parsePassport(text: string): HardwarePassport {
  const known = parsedPassports.get(text);
  if (known !== undefined) return known;
  const passport = hardwarePassportSchema.parse(JSON.parse(text));
  const [oldest] = parsedPassports.keys();
  if (parsedPassports.size >= rememberedPassports && oldest !== undefined) parsedPassports.delete(oldest);
  parsedPassports.set(text, passport);
  return passport;
}

const noNetwork = stationNetworkSchema.parse({});

export function parseStationRow(row: unknown): Station {
  const parsed = stationRowSchema.parse(row);
  return {
    name: parsed.name,
    passport: parsePassport(parsed.passport),
    ...(parsed.address === null ? {} : { address: parsed.address }),
    ...(parsed.loader === null ? {} : { loader: parsed.loader }),
    computerName: parsed.computer_name,
    role: parsed.station_role,
    onTerminalBus: parsed.terminal_bus !== 0,
    network: parsed.network === '{}' ? noNetwork : stationNetworkSchema.parse(JSON.parse(parsed.network)),
    enrolledAt: new Date(parsed.enrolled_at),
    enrolledBy: parsed.enrolled_by,
  };
}

/** A firmware that says Secure Boot in its passport starts nothing but signed GRUB. */
export function loaderOf({ loader, passport }: Pick<Station, 'loader' | 'passport'>, site: Loader): Loader {
  return loader ?? (passport.firmware.secureBoot === 'enabled' ? 'signed-grub' : site);
}
