import fs from 'node:fs';
import path from 'node:path';
import { RekindleError } from '#base/errors.ts';
import type { FirstBootPlan } from '#contract/first-boot.ts';
import { hmacBlocks } from '../one-time-key.ts';
import type { StagedFile } from '../staged-files.ts';

/**
 * Puts the agent, its steps and a systemd unit into a restored Linux. The folder is below /etc: /var and /usr may be
 * file systems of their own, which are not mounted here, or not be executable from.
 */
export const agentFolder = 'etc/rekindle/first-boot';
const unitName = 'rekindle-first-boot.service';
const unitFile = `etc/systemd/system/${unitName}`;
const unitLink = `etc/systemd/system/multi-user.target.wants/${unitName}`;

export interface LinuxStaging {
  /** Where the restored system's root is mounted. */
  readonly root: string;
  readonly plan: FirstBootPlan;
  readonly key: Uint8Array;
  readonly files: readonly StagedFile[];
  readonly agent: Uint8Array;
  /** Statically linked, so that it runs on whatever was restored. */
  readonly busybox: Uint8Array;
}

/** Twice is like once: what an earlier, interrupted restore staged is replaced whole. */
export function stageLinux(staging: LinuxStaging): void {
  const { root } = staging;
  const folder = inside(root, agentFolder);
  fs.rmSync(folder, { recursive: true, force: true });
  for (const [name, file] of expectedFiles(staging)) {
    const at = path.join(folder, name);
    fs.mkdirSync(path.dirname(at), { recursive: true, mode: 0o700 });
    write(at, file.bytes, file.mode);
  }
  fs.chmodSync(folder, 0o700);
  const link = inside(root, unitLink);
  fs.mkdirSync(path.dirname(link), { recursive: true });
  write(inside(root, unitFile), Buffer.from(formatUnit(staging.plan.station)), 0o644);
  fs.rmSync(link, { force: true });
  fs.symlinkSync(`/${unitFile}`, link);
}

/** Reads everything back. @throws RekindleError `verification-failed` */
export function verifyLinux(staging: LinuxStaging): void {
  const { root } = staging;
  const folder = inside(root, agentFolder);
  const wrong = [...expectedFiles(staging)].flatMap(([name, { bytes, mode }]) => {
    const at = path.join(folder, name);
    if (!fs.existsSync(at)) return [`${name} is not there`];
    if (!fs.readFileSync(at).equals(bytes)) return [`${name} is not what was written`];
    const { mode: found, uid } = fs.statSync(at);
    return (found & 0o777) === mode && uid === 0 ? [] : [`${name} belongs to others, or lets them in`];
  });
  if (fs.readlinkSync(inside(root, unitLink)) !== `/${unitFile}`) wrong.push('the unit is not enabled');
  if (wrong.length === 0) return;
  throw new RekindleError('verification-failed', 'reading back what was staged for the first boot', {
    cause: new Error(wrong.join('; ')),
  });
}

interface ExpectedFile {
  readonly bytes: Buffer;
  readonly mode: number;
}

function expectedFiles({ plan, key, files, agent, busybox }: LinuxStaging): Map<string, ExpectedFile> {
  const { inner, outer } = hmacBlocks(key);
  const expected = new Map<string, ExpectedFile>();
  const add = (name: string, content: Uint8Array | string, mode = 0o600) =>
    expected.set(name, { bytes: Buffer.from(content), mode });
  add('agent.sh', agent, 0o700);
  add('busybox', busybox, 0o700);
  add('job', `${plan.jobId}\n`);
  add('servers', `${plan.servers.join('\n')}\n`);
  add('give-up-hours', `${plan.giveUpHours}\n`);
  add('key.inner', inner);
  add('key.outer', outer);
  for (const { name, bytes, executable } of files) add(`work/${name}`, bytes, executable ? 0o700 : 0o600);
  for (const [at, step] of plan.steps.entries()) {
    const of = (name: string) => `steps/${String(at + 1).padStart(2, '0')}-${step.hook}/${name}`;
    add(of('hook'), `${step.hook}\n`);
    add(of('title'), `${step.title}\n`);
    add(of('command'), `${step.command}\n`);
    add(of('after'), `${step.after.join(' ')}\n`);
    add(of('timeout'), `${step.timeoutSeconds}\n`);
    add(of('retry-seconds'), `${step.retrySeconds}\n`);
    add(of('tries'), `${step.tries}\n`);
    add(of('secret-files'), step.secretFiles.map((name) => `${name}\n`).join(''));
  }
  return expected;
}

function formatUnit(station: string): string {
  return `# Written by Rekindle when ${station} was restored; removes itself when it is done.
[Unit]
Description=What follows the restore of this station (Rekindle)
After=network.target local-fs.target
ConditionPathExists=/${agentFolder}/agent.sh

[Service]
Type=simple
ExecStart=/${agentFolder}/busybox sh /${agentFolder}/agent.sh /${agentFolder}
Restart=on-failure
RestartSec=10
UMask=0077

[Install]
WantedBy=multi-user.target
`;
}

/** A path of the restored system; a link that leads out of it (into the runtime's own root) is refused. */
function inside(root: string, name: string): string {
  const parts = name.split('/');
  for (let depth = 1; depth < parts.length; depth += 1) {
    const folder = path.join(root, ...parts.slice(0, depth));
    const info = fs.lstatSync(folder, { throwIfNoEntry: false });
    if (info === undefined || !info.isSymbolicLink()) continue;
    throw new RekindleError('verification-failed', `writing ${name} of the restored system`, {
      cause: new Error(`/${parts.slice(0, depth).join('/')} is a link, which is not followed`),
    });
  }
  return path.join(root, name);
}

function write(file: string, bytes: Uint8Array, mode: number): void {
  fs.rmSync(file, { force: true });
  const handle = fs.openSync(file, 'wx', mode);
  try {
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(handle, bytes, at);
    fs.fchmodSync(handle, mode);
    fs.fchownSync(handle, 0, 0);
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}
