import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { FirstBootPlan } from '#contract/first-boot.ts';
import type { StagedFile } from '#runtime/first-boot/staged-files.ts';
import { firstBootService } from '#runtime/first-boot/windows/stage-windows.ts';
import { stagedAgent } from '#runtime/first-boot/windows/staged-agent.ts';
import { servicePatch } from '#runtime/hooks/windows/first-boot/service-patch.ts';
import { formatRegistryFile } from '#runtime/hooks/windows/registry/registry-file.ts';
import { readFirstBootFile } from '#scripts/runtime/first-boot-files.ts';

/**
 * A Windows of Wine's: its own folder, registry and processes. What is staged into a restored Windows is put into it
 * as it is, the registry entries too, and Wine's service manager starts it.
 */
export interface WineStation extends AsyncDisposable {
  readonly drive: string;
  readonly agentFolder: string;
  /** Puts agent, steps and service into it, as the runtime does. */
  stage(plan: FirstBootPlan, key: Uint8Array, files?: readonly StagedFile[]): Promise<void>;
  /** Starts Windows: its service manager, and the services that start with it. */
  start(): void;
  /** Ends every process of this Windows, as a power cut does. */
  cutPower(): Promise<void>;
  wine(...args: string[]): Promise<{ code: number; stdout: string }>;
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
    new Promise<{ code: number; stdout: string }>((resolve) => {
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
  await wine('wineboot', '--init');
  await call('wineserver', ['--wait']);
  return {
    drive,
    agentFolder,
    wine,
    async stage(plan, key, files = []) {
      const [agent, runStep, remover, wrapper] = await Promise.all([
        readFirstBootFile('windows/agent.js'),
        readFirstBootFile('windows/run.cmd'),
        readFirstBootFile('windows/remove.cmd'),
        readFirstBootFile('windows/nssm64.exe'),
      ]);
      fs.rmSync(agentFolder, { recursive: true, force: true });
      for (const [name, bytes] of stagedAgent({ plan, key, files, agent, runStep, remover, wrapper })) {
        const file = path.join(agentFolder, ...name.split('\\'));
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, bytes);
      }
      const patch = servicePatch('CurrentControlSet', firstBootService);
      const registry = path.join(drive, 'service.reg');
      fs.writeFileSync(registry, formatRegistryFile(patch, 'HKEY_LOCAL_MACHINE\\SYSTEM'));
      await wine('reg', 'import', 'C:\\service.reg');
      // Wine's services are read from the registry at its start only.
      await cutPower();
    },
    start() {
      // Wine ends when its last program does; this one waits for nothing.
      spawn('wine', ['ping.exe', '-n', '600', '127.0.0.1'], { env, stdio: 'ignore' });
    },
    cutPower,
    async [Symbol.asyncDispose]() {
      await cutPower();
    },
  };
}
