import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, vi } from 'vitest';
import { firstBootService } from '#runtime/first-boot/windows/stage-windows.ts';
import { servicePatch } from '#runtime/hooks/windows/first-boot/service-patch.ts';
import type { HivePatch } from '#runtime/hooks/windows/registry/hive-patch.ts';
import { formatRegistryFile } from './registry-file.ts';

/**
 * A Windows of Wine's: its own folder, registry and processes. What is staged into a restored Windows is put into it
 * as it is, the registry entries too, and Wine's service manager starts it.
 */
export interface WineStation extends AsyncDisposable {
  readonly drive: string;
  readonly agentFolder: string;
  /** C:\work: what is staged for the first boot lies there, as far as one step needs it. */
  readonly work: string;
  /** Puts a staged agent folder into it, and the service's registry entries. */
  install(staged: string): Promise<void>;
  /** Starts Windows: its service manager, and the services that start with it. */
  start(): void;
  /** Ends every process of this Windows, as a power cut does. */
  cutPower(): Promise<void>;
  wine(...args: string[]): Promise<WineAnswer>;
  /** A line of cmd.exe, in C:\work. */
  inWork(line: string): Promise<WineAnswer>;
  /** As the runtime changes the SYSTEM hive of a restored disk, into Wine's registry. */
  changeRegistry(patch: HivePatch): Promise<void>;
  /** Command lines of its programs. */
  programs(): string[];
}

export interface WineAnswer {
  readonly code: number;
  readonly stdout: string;
}

/** Started, for steps that are called one by one: its services stay up, and hold none of the calls' outputs open. */
export async function startRunningWineStation(folder: string): Promise<WineStation> {
  const station = await startWineStation(folder);
  station.start();
  await vi.waitFor(() => expect(station.programs().join('\n')).toContain('services.exe'), 30_000);
  return station;
}

export async function startWineStation(folder: string): Promise<WineStation> {
  const prefix = path.join(folder, 'prefix');
  const env = {
    ...process.env,
    WINEPREFIX: prefix,
    WINEDEBUG: '-all',
    // Neither .NET nor a browser: nobody is asked to install them.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
    DISPLAY: '',
  };
  const call = (command: string, args: readonly string[]) =>
    new Promise<WineAnswer>((resolve) => {
      execFile(command, args, { env, timeout: 60_000, encoding: 'latin1' }, (error, stdout) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout }),
      );
    });
  const wine = (...args: string[]) => call('wine', args);
  const drive = path.join(prefix, 'drive_c');
  const agentFolder = path.join(drive, 'windows', 'Rekindle');
  const cutPower = async () => {
    await call('wineserver', ['--kill']);
    await call('wineserver', ['--wait']);
  };
  const changeRegistry = async (patch: HivePatch) => {
    const file = formatRegistryFile(patch, 'HKEY_LOCAL_MACHINE\\SYSTEM');
    fs.writeFileSync(path.join(drive, 'patch.reg'), file);
    await wine('reg', 'import', 'C:\\patch.reg');
  };
  await wine('wineboot', '--init');
  await call('wineserver', ['--wait']);
  return {
    drive,
    agentFolder,
    work: path.join(drive, 'work'),
    wine,
    inWork: (line) => wine('cmd', '/d', '/c', `cd /d C:\\work && ${line}`),
    changeRegistry,
    async install(staged) {
      fs.rmSync(agentFolder, { recursive: true, force: true });
      fs.cpSync(staged, agentFolder, { recursive: true });
      await changeRegistry(servicePatch('CurrentControlSet', firstBootService));
      // Wine's services are read from the registry at its start only.
      await cutPower();
    },
    start() {
      // Wine ends when its last program does; this one waits for nothing.
      spawn('wine', ['ping.exe', '-n', '600', '127.0.0.1'], { env, stdio: 'ignore' });
    },
    cutPower,
    programs() {
      return fs
        .readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .flatMap((pid) => {
          try {
            const mine = fs.readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`WINEPREFIX=${prefix}\0`);
            const line = fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
            return mine ? [line] : [];
          } catch {
            // It has ended meanwhile.
            return [];
          }
        });
    },
    async [Symbol.asyncDispose]() {
      await cutPower();
    },
  };
}
