import { copyOut, has, run, shell, system, systemRoot, write } from '../station.ts';
import { note, registryNumber, settingsOf } from './memory.ts';

/** What does not start until this controller has proved itself (hooks/domain/held-services.ts). */

var services = 'HKLM\\SYSTEM\\CurrentControlSet\\Services';
var marks = 'HKLM\\SYSTEM\\CurrentControlSet\\Control\\RekindleHeld';
/** SERVICE_DISABLED of winnt.h. */
var disabled = 4;
/** For a person, when the agent does not give the network back. */
var liftScript = 'lift-quarantine.cmd';

interface Held {
  readonly service: string;
  readonly start: number;
}

/** @param kind `network` or `sysvol`: lines `hold-<kind>=<start> <service>` of the settings */
export function heldServices(kind: string): Held[] {
  var lines = settingsOf(`hold-${kind}`);
  var held: Held[] = [];
  for (var at = 0; at < lines.length; at += 1) {
    var words = (lines[at] || '').split(' ');
    held.push({ start: parseInt(words[0] || '', 10), service: words[1] || '' });
  }
  return held;
}

/** Its driver or program starts again when Windows does. Twice is like once. */
export function release(kind: string): void {
  var held = heldServices(kind);
  for (var at = 0; at < held.length; at += 1) {
    var service = held[at]?.service || '';
    var start = held[at]?.start || 0;
    shell.RegWrite(`${services}\\${service}\\Start`, start, 'REG_DWORD');
    run(`${system('reg.exe')} delete "${marks}" /v "${service}" /f`);
    note(`${kind}: ${service} starts again (Start = ${start})`);
  }
  write(`released-${kind}`, '.');
}

/** A power cut may leave our file and take what the registry had not written yet: both are looked at. */
export function isReleased(kind: string): boolean {
  if (!has(`released-${kind}`)) return false;
  var held = heldServices(kind);
  for (var at = 0; at < held.length; at += 1)
    if (registryNumber(`${services}\\${held[at]?.service || ''}\\Start`) === disabled) return false;
  return true;
}

/** The agent's folder goes some day, whatever has become of it; who comes to the machine still finds the way out. */
var leftScript = `${systemRoot}\\rekindle-${liftScript}`;

export function leaveLiftScript(): void {
  copyOut(liftScript, leftScript);
}

/** When nothing is held any more. */
export function removeTraces(): void {
  run(`${system('reg.exe')} delete "${marks}" /f`);
  run(`${system('cmd.exe')} /d /c del /f /q "${leftScript}"`);
}
