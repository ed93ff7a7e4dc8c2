import type { Scenario } from './scenario.ts';
import { captureScenario } from './scenarios/capture.ts';
import { deltaScenario } from './scenarios/delta.ts';
import { dhcpScenario } from './scenarios/dhcp.ts';
import { httpScenario } from './scenarios/http.ts';
import { manyScenario } from './scenarios/many.ts';
import { memoryScenario } from './scenarios/memory.ts';
import { restoreScenario } from './scenarios/restore.ts';
import { restoreHttpScenario } from './scenarios/restore-http.ts';
import { tftpScenario } from './scenarios/tftp.ts';
import { verifyScenario } from './scenarios/verify.ts';

export const scenarios: readonly Scenario[] = [
  captureScenario,
  restoreScenario,
  restoreHttpScenario,
  deltaScenario,
  verifyScenario,
  memoryScenario,
  manyScenario,
  dhcpScenario,
  tftpScenario,
  httpScenario,
];
