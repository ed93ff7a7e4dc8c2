import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { type SitePaths, sitePaths } from '#pxe-server/site/site-paths.ts';
import { openState } from '#pxe-server/site/state.ts';
import { buildSiteUniversalPack, packFile, universalPack } from '#pxe-server/stations/station-pack.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import { addUser } from '#pxe-server/users/user-store.ts';
import type { LabNetwork } from '../lab-network.ts';
import { type ServedSite, serveSite } from '../lab-site.ts';
import type { Credentials } from '../technician.ts';

export interface StandInSiteRequest {
  /** Of the real site: its keys, kernel, runtime and packs are used as they are. */
  readonly real: SitePaths;
  /** Image store of the real site. */
  readonly store: string;
  readonly directory: string;
  readonly station: string;
  readonly passport: HardwarePassport;
  readonly network: LabNetwork;
  readonly evidence: string;
}

export interface StandInSite extends ServedSite {
  readonly paths: SitePaths;
  readonly credentials: Credentials;
}

const address = '10.77.0.100';

/**
 * A site of its own for one rehearsal: what the real one serves, behind links, with a registry in which the station
 * is a declared stand-in. Nothing is written to the real site; its store is mounted read-only for the service.
 */
export async function openStandInSite(request: StandInSiteRequest): Promise<StandInSite> {
  const { real, store, directory, station, passport, network, evidence } = request;
  const paths = sitePaths(directory);
  await mkdir(paths.packs, { recursive: true });
  const shared = ['keys', 'caCertificate', 'serverCertificate', 'imageSigningPublicKey', 'runtime'] as const;
  for (const name of shared) {
    const [from, to] =
      name === 'keys' ? [path.dirname(real.caKey), path.dirname(paths.caKey)] : [real[name], paths[name]];
    await symlink(path.resolve(from), to);
  }
  // A store that looks writable to the service, with the real images and chunks in it.
  const images = path.join(directory, 'store');
  await mkdir(images);
  for (const folder of ['images', 'chunks.castr'])
    await symlink(path.join(path.resolve(store), folder), path.join(images, folder));
  await writeFile(
    paths.configuration,
    `interface: ${network.interfaceName}
address: ${network.serverAddress}
dhcp:
  mode: reservation
  stations: { from: ${address}, to: 10.77.0.149 }
store: ${JSON.stringify(images)}
boot: { withoutKey: recovery, menuSeconds: 1 }
`,
  );
  // The station's own pack drives the station's hardware; a virtual machine needs the one for everything.
  const universal = packFile(real, universalPack);
  if (existsSync(universal)) await symlink(path.resolve(universal), packFile(paths, universalPack));
  else await buildSiteUniversalPack(paths);
  await symlink(packFile(paths, universalPack), packFile(paths, station));
  const credentials = { technician: 'rehearsal', password: randomBytes(16).toString('hex') };
  const state = openState(paths.state, { create: true });
  try {
    addStation(state, {
      name: station,
      passport: { ...passport, standIn: true },
      address,
      by: 'rekindle rehearse',
    });
    await addUser(state, {
      name: credentials.technician,
      role: 'technician',
      password: credentials.password,
    });
  } finally {
    state.close();
  }
  const served = await serveSite({
    network,
    directory,
    log: path.join(evidence, 'service.log'),
    readOnly: path.resolve(store),
  });
  return { ...served, paths, credentials };
}
