import { spawn } from 'node:child_process';

const minutes = 15;

/** Boots a kernel on a machine without a firmware's boot devices, and hands back its console when it has switched off. */
export function bootToTheEnd(
  qemu: readonly string[],
  vmlinuz: string,
  initrd: string,
  parameters = '',
): Promise<string> {
  const machine = [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-smp', '2', '-m', '1024'],
    ...['-accel', 'tcg', '-cpu', 'qemu64,+rdrand', '-serial', 'stdio'],
    ...['-kernel', vmlinuz, '-initrd', initrd, '-append', `console=ttyS0,115200 quiet ${parameters}`.trim()],
  ];
  const child = spawn('qemu-system-x86_64', [...machine, ...qemu], { stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill(), minutes * 60_000);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      said += bytes.toString('latin1');
    });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
  });
}
