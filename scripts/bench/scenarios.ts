import type { Scenario } from './scenario.ts';
import { captureScenario } from './scenarios/capture.ts';
import { httpScenario } from './scenarios/http.ts';
import { restoreScenario } from './scenarios/restore.ts';
import { tftpScenario } from './scenarios/tftp.ts';

/** In the order in which they run: the first makes what the others use. */
export const scenarios: readonly Scenario[] = [captureScenario, restoreScenario, tftpScenario, httpScenario];
