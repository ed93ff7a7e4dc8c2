import { join } from 'node:path';

/** Where everything is in a site folder: the one folder that a site backs up. */
export interface SitePaths {
  readonly folder: string;
  readonly configuration: string;
  /** SQLite: users, stations, jobs, journal. */
  readonly state: string;
  /** Secrets, mode 0600 in a folder of mode 0700. */
  readonly caKey: string;
  readonly serverKey: string;
  readonly imageSigningKey: string;
  /** Public halves; the runtime carries them. */
  readonly caCertificate: string;
  readonly serverCertificate: string;
  readonly imageSigningPublicKey: string;
  /** Kernel and runtime that stations boot: `rekindle runtime build` makes them. */
  readonly runtime: string;
  readonly kernel: string;
  readonly runtimeImage: string;
  /** What the runtime consists of. */
  readonly runtimeManifest: string;
  /** Which kernel that is, and where its modules are. */
  readonly kernelRecord: string;
  /** Which kind of share the runtime can mount. */
  readonly shareRecord: string;
  /** Driver packs, `<STATION>.img` and `universal.img`. */
  readonly packs: string;
  /** Files of the other systems in the boot menu, named in `rekindle.yaml`. */
  readonly boot: string;
  /** Hook plans, `<STATION>.yaml`, and the site's own hooks in `bin`. */
  readonly hooks: string;
  /** Run reports, `<STATION>/<UTC time>_<job>/report.json`. */
  readonly reports: string;
}

export function sitePaths(folder: string): SitePaths {
  const keys = join(folder, 'keys');
  return {
    folder,
    configuration: join(folder, 'rekindle.yaml'),
    state: join(folder, 'state.sqlite'),
    caKey: join(keys, 'site-ca.key'),
    serverKey: join(keys, 'server.key'),
    imageSigningKey: join(keys, 'image-signing.key'),
    caCertificate: join(folder, 'site-ca.crt'),
    serverCertificate: join(folder, 'server.crt'),
    imageSigningPublicKey: join(folder, 'image-signing.pub'),
    runtime: join(folder, 'runtime'),
    kernel: join(folder, 'runtime', 'vmlinuz'),
    runtimeImage: join(folder, 'runtime', 'runtime.img'),
    runtimeManifest: join(folder, 'runtime', 'manifest.json'),
    kernelRecord: join(folder, 'runtime', 'kernel.json'),
    shareRecord: join(folder, 'runtime', 'share.json'),
    packs: join(folder, 'packs'),
    boot: join(folder, 'boot'),
    hooks: join(folder, 'hooks'),
    reports: join(folder, 'reports'),
  };
}
