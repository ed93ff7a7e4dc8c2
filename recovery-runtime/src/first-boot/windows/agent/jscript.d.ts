/**
 * What JScript 5.x knows (ECMA-262, 3rd edition), and no more: the compiler refuses `trim`, `forEach`, `JSON` and
 * `"text"[0]`, which the Windows 7 of a station does not have in every host.
 */
interface Object {
  hasOwnProperty(name: string): boolean;
  toString(): string;
}
declare var Object: { prototype: Object };
interface Function {
  apply(self: unknown, values?: unknown[]): unknown;
}
interface CallableFunction extends Function {}
interface NewableFunction extends Function {}
interface IArguments {
  readonly length: number;
}
interface Boolean {
  valueOf(): boolean;
}
interface Number {
  toString(radix?: number): string;
}
interface RegExp {
  test(text: string): boolean;
  exec(text: string): string[] | null;
}
interface String {
  readonly length: number;
  charAt(at: number): string;
  charCodeAt(at: number): number;
  indexOf(part: string, from?: number): number;
  split(by: string | RegExp): string[];
  replace(what: string | RegExp, by: string): string;
  slice(from: number, to?: number): string;
  toLowerCase(): string;
  toUpperCase(): string;
  match(what: RegExp): string[] | null;
}
declare var String: { (value: unknown): string; fromCharCode(...codes: number[]): string };
interface Array<T> {
  length: number;
  push(...items: T[]): number;
  concat(...items: T[][]): T[];
  join(by: string): string;
  slice(from: number, to?: number): T[];
  [at: number]: T;
}
interface Date {
  getTime(): number;
  getUTCFullYear(): number;
  getUTCMonth(): number;
  getUTCDate(): number;
  getUTCHours(): number;
  getUTCMinutes(): number;
  getUTCSeconds(): number;
}
declare var Date: { new (): Date };
interface Error {
  readonly number: number;
  readonly message: string;
}
declare var Error: { new (message: string): Error };
interface MathObject {
  max(a: number, b: number): number;
  min(a: number, b: number): number;
  floor(value: number): number;
  pow(base: number, exponent: number): number;
}
declare var Math: MathObject;
declare function parseInt(text: string, radix: number): number;
declare function isNaN(value: number): boolean;

// Windows Script Host and what it can start.

interface TextStream {
  readonly AtEndOfStream: boolean;
  ReadAll(): string;
  Write(text: string): void;
  Close(): void;
}
interface FileSystemObject {
  FileExists(path: string): boolean;
  FolderExists(path: string): boolean;
  /** @param mode 1: read, 8: append */
  OpenTextFile(path: string, mode: number, create?: boolean): TextStream;
  CreateTextFile(path: string, overwrite: boolean): TextStream;
  GetFile(path: string): { readonly Size: number };
  MoveFile(from: string, to: string): void;
  CopyFile(from: string, to: string, overwrite: boolean): void;
  DeleteFile(path: string, force: boolean): void;
  DeleteFolder(path: string, force: boolean): void;
}
interface WshShell {
  ExpandEnvironmentStrings(text: string): string;
  RegRead(name: string): unknown;
  RegWrite(name: string, value: string | number, type: string): void;
  /** @param window 0: hidden. Answers with the exit code when it waits. */
  Run(command: string, window: number, wait: boolean): number;
}
interface WinHttpRequest {
  readonly Status: number;
  readonly ResponseText: string;
  SetProxy(setting: number): void;
  SetTimeouts(resolve: number, connect: number, send: number, receive: number): void;
  Open(method: string, url: string, async: boolean): void;
  SetRequestHeader(name: string, value: string): void;
  Send(body: string): void;
}
declare var ActiveXObject: {
  new (name: 'Scripting.FileSystemObject'): FileSystemObject;
  new (name: 'WScript.Shell'): WshShell;
  new (name: 'WinHttp.WinHttpRequest.5.1'): WinHttpRequest;
};
/** A list of Automation, which JScript cannot index. */
declare var VBArray: { new (list: unknown): { toArray(): string[] } };
declare var WScript: {
  readonly ScriptFullName: string;
  Sleep(milliseconds: number): void;
  /** By cscript: one line to standard output. */
  Echo(line: string): void;
  Quit(code: number): void;
};
/** An object of the directory, as ADSI has it (IADs of iads.h). */
interface AdsObject {
  Get(attribute: string): unknown;
  Put(attribute: string, value: boolean): void;
  SetInfo(): void;
}
declare function GetObject(path: string): AdsObject;
