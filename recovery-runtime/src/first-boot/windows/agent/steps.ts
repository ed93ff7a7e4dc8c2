import {
  append,
  count,
  erase,
  has,
  pathOf,
  read,
  remove,
  run,
  say,
  shell,
  sleep,
  system,
  write,
} from './station.ts';
import { jsonText, lastLine, linesOf, now, numberOf, valuesOf } from './texts.ts';

/** How a step ended, or what it wants; the numbers are the contract's (pxe-server/src/contract/first-boot.ts). */
export type StepEnd = 'over' | 'restart' | 'hung';

var evidenceCharacters = 16000;

function fileOf(step: string, name: string): string {
  return `steps\\${step}\\${name}`;
}

export function isOver(step: string): boolean {
  // NTFS may keep a name whose content a power cut took.
  return /^\{.*\}$/.test(resultOf(step));
}

/** For the report: JSON. '' while it is not over. */
export function resultOf(step: string): string {
  return linesOf(read(fileOf(step, 'result')))[1] || '';
}

function outcomeOf(step: string): string {
  return linesOf(read(fileOf(step, 'result')))[0] || '';
}

function setting(step: string, name: string): string {
  return valuesOf(read(fileOf(step, 'step')), name)[0] || '';
}

function finish(step: string, outcome: string, sentence: string, seconds: number): void {
  var hook = setting(step, 'hook');
  var output = read(fileOf(step, 'output')).slice(-evidenceCharacters);
  var started = read(fileOf(step, 'started')) || now();
  var shown = outcome === 'blocked' ? 'skipped' : outcome;
  var word = shown === 'skipped' ? 'reason' : 'sentence';
  var json = [
    `{"hook":"${hook}","result":{"outcome":"${shown}","${word}":"${jsonText(sentence)}"},`,
    `"evidence":[{"name":"output","value":"${jsonText(output)}"}],`,
    `"startedAt":"${started}","seconds":${seconds}}`,
  ];
  write(fileOf(step, 'result'), `${outcome}\r\n${json.join('')}\r\n`);
  eraseSecrets(step);
  say(`${hook}: ${shown}: ${sentence}`);
}

/** Files that only this step was allowed to use. */
export function eraseSecrets(step: string): void {
  var secrets = valuesOf(read(fileOf(step, 'step')), 'secret');
  for (var at = 0; at < secrets.length; at += 1) erase(`work\\${secrets[at]}`);
}

/** A hook that this step waits for, and that did not succeed; its own, when an earlier step of it failed. */
function blockerOf(step: string, all: string[]): string {
  var wanted = setting(step, 'after')
    .split(' ')
    .concat([setting(step, 'hook')]);
  for (var at = 0; at < wanted.length; at += 1) {
    for (var other = 0; other < all.length; other += 1) {
      var name = all[other] || '';
      if (name === step || setting(name, 'hook') !== wanted[at]) continue;
      var outcome = outcomeOf(name);
      if (outcome === 'failed' || outcome === 'blocked') return wanted[at] || '';
    }
  }
  return '';
}

export function runStep(step: string, all: string[]): StepEnd {
  var blocker = blockerOf(step, all);
  if (blocker !== '') {
    finish(step, 'blocked', `It waits for hook ${blocker}, which did not succeed.`, 0);
    return 'over';
  }
  var settings = read(fileOf(step, 'step'));
  var hook = setting(step, 'hook');
  for (;;) {
    var tried = count(fileOf(step, 'tried'));
    if (tried > numberOf(settings, 'tries')) {
      finish(step, 'failed', `It was not done after ${tried - 1} tries.`, 0);
      return 'over';
    }
    if (!has(fileOf(step, 'started'))) write(fileOf(step, 'started'), now());
    say(`${hook}: try ${tried}`);
    var begun = new Date().getTime();
    var limit = numberOf(settings, 'timeoutSeconds');
    var code = execute(step, limit);
    var seconds = Math.max(0, Math.floor((new Date().getTime() - begun) / 1000));
    if (code === undefined) {
      finish(step, 'failed', `It was not ready after ${limit} s.`, seconds);
      return 'hung';
    }
    if (code === 250) {
      sleep(numberOf(settings, 'retrySeconds'));
      continue;
    }
    if (code === 249) {
      askForRestart();
      say(`${hook}: wants a restart, and another try`);
      return 'restart';
    }
    return conclude(step, code, seconds);
  }
}

function conclude(step: string, code: number, seconds: number): StepEnd {
  var output = read(fileOf(step, 'output'));
  var line = lastLine(output);
  switch (code) {
    case 0:
      // An answer of the JSON contract that says so is a failure too.
      if (/(^|\n)\{.*"outcome" *: *"failed"/.test(output)) finish(step, 'failed', line, seconds);
      else finish(step, 'done', line || 'It ended with exit code 0.', seconds);
      return 'over';
    case 248:
    // ERROR_SUCCESS_REBOOT_REQUIRED and ERROR_SUCCESS_REBOOT_INITIATED of winerror.h.
    case 3010:
    case 1641:
      askForRestart();
      finish(step, 'done', line || 'It ended, and asked for a restart.', seconds);
      return 'restart';
    case 251:
      finish(step, 'skipped', line || 'There was nothing to do.', seconds);
      return 'over';
    case 252:
      finish(step, 'unverified', line || 'It ended, and cannot tell whether it is done.', seconds);
      return 'over';
    default:
      finish(step, 'failed', `${line || 'It ended without a word.'} (exit code ${code})`, seconds);
      return 'over';
  }
}

/**
 * A script host cannot wait for a program for a while only, nor end it: the program runs beside us, and its exit code
 * is a file. What does not end in time is ended by the service wrapper, which ends our whole tree with us.
 * @returns undefined: not ready in time
 */
function execute(step: string, limit: number): number | undefined {
  var code = fileOf(step, 'code');
  remove(code);
  write(fileOf(step, 'output'), '');
  // Programs write in the console's code page; files are read in that of the system.
  var page = String(shell.RegRead('HKLM\\SYSTEM\\CurrentControlSet\\Control\\Nls\\CodePage\\ACP'));
  shell.Run(`${system('cmd.exe')} /d /c ""${pathOf('run.cmd')}" steps\\${step} ${page}"`, 0, false);
  for (var waited = 0; waited <= limit; waited += 1) {
    if (has(code)) return parseInt(read(code), 10);
    sleep(1);
  }
  return undefined;
}

/** In a hive that is in memory only: it is gone when Windows has started again. */
var sinceStart = 'HKLM\\HARDWARE\\DESCRIPTION\\System\\RekindleRestart';

function askForRestart(): void {
  try {
    shell.RegWrite(sinceStart, 'wanted', 'REG_SZ');
  } catch (_) {
    say('cannot remember that a restart is wanted');
  }
  append('restart', '.');
}

/** Was a restart asked for that has not happened? */
export function restartIsDue(): boolean {
  if (!has('restart')) return false;
  try {
    if (shell.RegRead(sinceStart) === 'wanted') return true;
  } catch (_) {
    // It is not there: Windows has started again.
  }
  remove('restart');
  return false;
}

export function restart(): void {
  say('restarts Windows');
  var code = run(`${system('shutdown.exe')} /r /t 0 /f /d p:4:1`);
  if (code !== 0) say(`cannot restart Windows: shutdown ended with ${code}`);
}
