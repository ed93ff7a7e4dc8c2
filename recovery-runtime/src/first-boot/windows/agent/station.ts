import { now } from './texts.ts';

/** Files and programs of the station. Everything that the agent has to remember is a file: it may be killed anywhere. */

var files = new ActiveXObject('Scripting.FileSystemObject');
export var shell = new ActiveXObject('WScript.Shell');
export var base = WScript.ScriptFullName.replace(/\\[^\\]*$/, '');
// Wine's answer has its final NUL in it.
export var systemRoot = shell.ExpandEnvironmentStrings('%SystemRoot%').replace(/\0/g, '');

export function pathOf(name: string): string {
  return `${base}\\${name}`;
}

export function has(name: string): boolean {
  return files.FileExists(pathOf(name));
}

/** '' when it is not there. */
export function read(name: string): string {
  if (!has(name) || sizeOf(name) === 0) return '';
  var stream = files.OpenTextFile(pathOf(name), 1);
  var text = stream.ReadAll();
  stream.Close();
  return text;
}

export function sizeOf(name: string): number {
  return has(name) ? files.GetFile(pathOf(name)).Size : 0;
}

/** Whole or not at all when the agent is killed; after a power cut it may be there and empty. */
export function write(name: string, text: string): void {
  var stream = files.CreateTextFile(pathOf(`${name}.new`), true);
  stream.Write(text);
  stream.Close();
  remove(name);
  files.MoveFile(pathOf(`${name}.new`), pathOf(name));
}

export function append(name: string, text: string): void {
  var stream = files.OpenTextFile(pathOf(name), 8, true);
  stream.Write(text);
  stream.Close();
}

/** The next number, from 1: the size of a file that grows, which no kill can put back. */
export function count(name: string): number {
  append(name, '.');
  return sizeOf(name);
}

export function remove(name: string): void {
  if (has(name)) files.DeleteFile(pathOf(name), true);
}

export function removeFolder(name: string): void {
  if (files.FolderExists(pathOf(name))) files.DeleteFolder(pathOf(name), true);
}

export function copyOut(name: string, to: string): void {
  if (has(name)) files.CopyFile(pathOf(name), to, true);
}

export function say(sentence: string): void {
  append('log', `${now()} ${sentence}\r\n`);
}

/** @returns its exit code */
export function run(program: string): number {
  return shell.Run(program, 0, true);
}

/** A program of Windows' own, whatever PATH says. */
export function system(name: string): string {
  return `"${systemRoot}\\System32\\${name}"`;
}

export function sleep(seconds: number): void {
  try {
    WScript.Sleep(seconds * 1000);
  } catch (_) {
    // Wine's script host has no Sleep.
    run(`${system('ping.exe')} -n ${seconds + 1} 127.0.0.1`);
  }
}

/** Overwritten in place, then removed. An SSD may keep the old bytes: it is no more than what a file system can do. */
export function erase(name: string): void {
  if (!has(name)) return;
  run(`${system('fsutil.exe')} file setzerodata offset=0 length=${sizeOf(name)} "${pathOf(name)}"`);
  remove(name);
}
