import { findConsoles } from './console/devices.ts';
import { wrap } from './console/layout.ts';
import { createTerminal } from './console/terminal.ts';
import { texts } from './console/texts.ts';
import { uptimeSeconds } from './uptime.ts';

/**
 * Says in the first moment that the runtime is there. This happens when the module is evaluated: main.ts imports it before
 * everything else, so the line is on the consoles while the rest of the program is still being loaded.
 */
export const firstLineUptimeSeconds = uptimeSeconds();
const { ports, refused } = findConsoles(texts.starting);
export const hasConsole = ports.length > 0;
export const terminal = createTerminal(ports);
for (const reason of refused) terminal.print(wrap(texts.consoleLost(reason)));
