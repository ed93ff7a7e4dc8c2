import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { storeFolder } from '#pxe-server/config/configuration.ts';
import { readConfiguration } from '#pxe-server/config/read-configuration.ts';
import { createSite } from '#pxe-server/site/create-site.ts';
import { listInterfaces } from '#pxe-server/site/served-interface.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { formatSystemdUnit, systemdUnitFile } from '#pxe-server/site/systemd-unit.ts';
import { type Role, roleSchema } from '#pxe-server/users/role.ts';
import { addUser, countUsers } from '#pxe-server/users/user-store.ts';
import { newPassword } from '../ask-password.ts';
import { type SiteOption, withSite } from '../site-option.ts';

interface Range {
  readonly from: string;
  readonly to: string;
}

interface InitOptions extends SiteOption {
  readonly interface?: string;
  readonly address?: string;
  readonly mode: 'proxy' | 'reservation';
  readonly stations?: Range;
  readonly enrolmentPool?: Range;
  readonly httpPort?: number;
  readonly httpsPort?: number;
  readonly tftpPort?: number;
  readonly user: string;
  readonly role: Role;
  readonly passwordFile?: string;
  readonly systemd?: boolean;
}

export function initCommand(): Command {
  return withSite(new Command('init'))
    .description(
      'make a site folder: configuration, keys, site CA, image store, first user; keeps what is there',
    )
    .option('--interface <name>', 'network interface to serve; may be left out when there is only one')
    .option('--address <ip>', "our address on it; default: the interface's first one")
    .addOption(new Option('--mode <mode>', 'DHCP mode').choices(['proxy', 'reservation']).default('proxy'))
    .option('--stations <from-to>', 'reservation mode: addresses for stations', parseRange)
    .option(
      '--enrolment-pool <from-to>',
      'reservation mode: addresses for machines being enrolled',
      parseRange,
    )
    .option('--http-port <port>', 'port of the boot files', parsePort)
    .option('--https-port <port>', 'port of the API and the image store', parsePort)
    .option('--tftp-port <port>', 'port of the loaders', parsePort)
    .option('--user <name>', 'first user', 'technician')
    .addOption(
      new Option('--role <role>', 'role of the first user')
        .choices(roleSchema.options)
        .default('image-operator'),
    )
    .option('--password-file <file>', "read the first user's password from the first line of this file")
    .option('--systemd', 'write /etc/systemd/system/rekindle.service for this site too')
    .action(init);
}

async function init(options: InitOptions): Promise<void> {
  const paths = sitePaths(resolve(options.site));
  const port = (number: number | undefined) => (number === undefined ? undefined : { port: number });
  const made = await createSite(paths, {
    interface: options.interface ?? onlyInterface(),
    ...withoutUndefined({ address: options.address }),
    dhcp: withoutUndefined({
      mode: options.mode,
      stations: options.stations,
      enrolmentPool: options.enrolmentPool,
    }),
    ...withoutUndefined({
      http: port(options.httpPort),
      https: port(options.httpsPort),
      tftp: port(options.tftpPort),
    }),
  });
  console.log(`Site folder ${paths.folder}`);
  for (const line of made) console.log(`  made: ${line}`);
  const state = openState(paths.state, { create: true });
  if (countUsers(state) === 0) {
    const password = await newPassword(options.user, options.passwordFile);
    await addUser(state, { name: options.user, role: options.role, password });
    console.log(`  made: user ${options.user}, ${options.role}`);
  } else if (made.length === 0) console.log('  nothing was missing; nothing was changed');
  if (options.systemd === true) await installUnit(paths);
  console.log('Next: rekindle runtime build, then rekindle serve.');
  console.log('Keep a copy of the keys folder in a safe place.');
}

async function installUnit(paths: SitePaths): Promise<void> {
  const configuration = await readConfiguration(paths.configuration);
  const unit = await formatSystemdUnit({
    folder: resolve(import.meta.dirname, '..', '..'),
    node: process.execPath,
    site: paths.folder,
    store: storeFolder(configuration, paths.folder),
  });
  await writeFile(systemdUnitFile, unit);
  console.log(`  made: ${systemdUnitFile}, which runs as the user rekindle. To start it:`);
  console.log('    useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin rekindle');
  console.log(`    chown -R rekindle: ${paths.folder} ${storeFolder(configuration, paths.folder)}`);
  console.log('    systemctl daemon-reload && systemctl enable --now rekindle');
}

/** Drops keys without a value, which YAML would write as null. */
function withoutUndefined<T extends Record<string, unknown>>(value: T) {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };
}

function onlyInterface(): string {
  const names = [...new Set(listInterfaces().map(({ name }) => name))].filter((name) => name !== 'lo');
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  throw new RekindleError('usage', 'Which network interface to serve is not clear', {
    next: `Name one with --interface: ${names.join(', ') || 'none has an IPv4 address yet'}.`,
  });
}

function parseRange(text: string): Range {
  const [from, to, ...rest] = text.split('-');
  if (from === undefined || to === undefined || rest.length > 0) {
    throw new InvalidArgumentError('Write a range as 10.77.0.20-10.77.0.99.');
  }
  return { from, to };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new InvalidArgumentError('A port is 1 to 65535.');
  return port;
}
