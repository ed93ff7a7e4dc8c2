import { send } from './report.ts';
import {
  base,
  copyOut,
  erase,
  has,
  read,
  remove,
  removeFolder,
  run,
  say,
  sleep,
  system,
  systemRoot,
  write,
} from './station.ts';
import { eraseSecrets, isOver, restart, restartIsDue, runStep } from './steps.ts';
import { numberOf, valuesOf } from './texts.ts';

/**
 * First boot of a restored Windows station: runs the staged steps in order, reports each to the recovery service, and
 * removes itself. The service wrapper starts it again unless it ends with 0, and ends whatever it has started.
 */

/** Key below Services (recovery-runtime/src/first-boot/windows/stage-windows.ts). */
var serviceName = 'RekindleFirstBoot';
/** ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_MARKED_FOR_DELETE (winerror.h). */
var notThere = 1060;
var goesAlready = 1072;
var logFile = `${systemRoot}\\rekindle-first-boot.log`;

/** @returns exit code; 0: nothing to do until Windows starts again */
function firstBoot(): number {
  // Interrupted while it removed itself: there are no steps any more, and no key to report with.
  if (has('over')) {
    removeAgent();
    return 0;
  }
  var job = read('job');
  var steps = valuesOf(job, 'step');
  say(`first boot of job ${valuesOf(job, 'job')[0]}`);
  if (restartIsDue()) {
    restart();
    return 0;
  }
  for (var at = 0; at < steps.length; at += 1) {
    var step = steps[at] || '';
    if (isOver(step)) {
      // Whoever was interrupted right after the result is tidied up after.
      eraseSecrets(step);
      continue;
    }
    var end = runStep(step, steps);
    // The last step's result goes with the last report.
    if (end === 'restart' || at < steps.length - 1) send(false, steps);
    if (end === 'restart') {
      restart();
      return 0;
    }
    if (end === 'hung') return 1;
  }
  reportLast(steps, numberOf(job, 'giveUpHours') * 3600);
  removeAgent();
  return 0;
}

function reportLast(steps: string[], giveUpSeconds: number): void {
  var pause = 5;
  for (var waited = 0; !send(true, steps); waited += pause) {
    if (waited >= giveUpSeconds) {
      say('gives up: nobody took the report');
      return;
    }
    sleep(pause);
    pause = Math.min(60, pause * 2);
  }
}

/** What is gone already stays gone: interrupted anywhere, it begins anew at the next start. */
function removeAgent(): void {
  write('over', '.');
  erase('key');
  removeFolder('work');
  removeFolder('steps');
  remove('report.json');
  say('is done here, and removes itself');
  var modes = ['Minimal', 'Network'];
  for (var at = 0; at < modes.length; at += 1) {
    var key = `HKLM\\SYSTEM\\CurrentControlSet\\Control\\SafeBoot\\${modes[at]}\\${serviceName}`;
    run(`${system('reg.exe')} delete "${key}" /f`);
  }
  var ended = run(`${system('sc.exe')} delete ${serviceName}`);
  var isGone = ended === 0 || ended === notThere || ended === goesAlready;
  if (!isGone) say(`the service was not deleted (sc ended with ${ended}): all stays until the next start`);
  copyOut('log', logFile);
  // A service of the system must never point at a folder that is not there.
  if (!isGone) return;
  // The wrapper holds its own file, and ends our children with us; not theirs, whose parent has gone.
  var remover = `${systemRoot}\\rekindle-remove.cmd`;
  copyOut('remove.cmd', remover);
  run(`${system('cmd.exe')} /d /c start "" /b ${systemRoot}\\System32\\cmd.exe /d /c ${remover} ${base}`);
}

var code = 1;
try {
  code = firstBoot();
} catch (error) {
  say(`stops: error ${(error as Error).number} ${(error as Error).message}`);
}
WScript.Quit(code);
