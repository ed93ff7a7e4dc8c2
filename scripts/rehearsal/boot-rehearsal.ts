import type { BootLab } from './boot-lab.ts';
import type { BootCellName } from './boot-matrix.ts';

export interface BootSeen {
  readonly cell: BootCellName;
  readonly powerOnToFirstLine: number;
  /** What the service told of this boot. */
  readonly sentences: readonly string[];
}

/** The runtime's first line; boot loader and firmware print the product's name before it. */
export const runtimeFirstLine = /Rekindle is starting/;

/** Firmware, loader, kernel and runtime under emulation on a busy machine, with room. */
const bootSeconds = 600;

/** One boot, from power-on to the runtime's first line. */
export async function rehearseBoot(lab: BootLab, cell: BootCellName): Promise<BootSeen> {
  await using machine = await lab.switchOn(cell);
  await machine.console.waitFor(runtimeFirstLine, { timeoutSeconds: bootSeconds });
  const seconds = (performance.now() - machine.poweredOnAt) / 1000;
  return {
    cell,
    powerOnToFirstLine: Math.round(seconds * 10) / 10,
    sentences: await lab.lastBoot(),
  };
}
