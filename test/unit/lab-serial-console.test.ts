import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSerialConsole } from '#scripts/rehearsal/serial-console.ts';
import { readTerminalText, terminalTextStart } from '#scripts/rehearsal/terminal-text.ts';

let directory: string;
let transcript: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lab-console-'));
  transcript = path.join(directory, 'console.txt');
});
afterEach(() => rm(directory, { recursive: true }));

function serialLine(): { line: Duplex; typed: string[] } {
  const typed: string[] = [];
  const line = new Duplex({
    read: () => undefined,
    write: (bytes, _encoding, done) => {
      typed.push(String(bytes));
      done();
    },
  });
  return { line, typed };
}

test('terminal sequences are dropped wherever the stream is cut', () => {
  const stream = '\x1b[2J\x1b[01;01Hlog\x1b[0m \x1b(Bon\x1b]0;title\x07:\r\n';
  for (let cut = 0; cut <= stream.length; cut++) {
    const first = readTerminalText(terminalTextStart, stream.slice(0, cut));
    const second = readTerminalText(first.state, stream.slice(cut));
    expect(first.text + second.text).toBe('log on:\n');
  }
});

test('a match consumes what came before it, and text that came early is not lost', async () => {
  const { line } = serialLine();
  const console = openSerialConsole(line, transcript, 'A');
  line.push('boots=1 ready\nboots=2');
  expect((await console.waitFor(/boots=(\d) ready/, { timeoutSeconds: 1 }))[1]).toBe('1');
  const second = console.waitFor(/boots=(\d) ready/, { timeoutSeconds: 1 });
  line.push(' ready\n');
  expect((await second)[1]).toBe('2');
});

test('a pattern with the global flag starts at the first unread character every time', async () => {
  const { line } = serialLine();
  const console = openSerialConsole(line, transcript, 'A');
  const pattern = /x/g;
  line.push('x');
  await console.waitFor(pattern, { timeoutSeconds: 1 });
  line.push('x');
  await console.waitFor(pattern, { timeoutSeconds: 1 });
});

test('a wait that ends without a match names the machine, the pattern and the last lines', async () => {
  const { line } = serialLine();
  const console = openSerialConsole(line, transcript, 'OS-SRV-1A');
  line.push('GRUB error: no such device\n');
  await expect(console.waitFor(/ready/, { timeoutSeconds: 0.05 })).rejects.toMatchObject({
    code: 'verification-failed',
    message: 'OS-SRV-1A did not print /ready/: waited 0.05 s',
    cause: new Error('its last lines were:\nGRUB error: no such device'),
  });
});

test('a line that closes ends the wait at once', async () => {
  const { line } = serialLine();
  const console = openSerialConsole(line, transcript, 'A');
  const waiting = console.waitFor(/ready/, { timeoutSeconds: 5 });
  line.push(null);
  await expect(waiting).rejects.toThrow('A did not print /ready/: the machine ended');
});

test('typing sends one character after the other; the transcript keeps the bytes as they came', async () => {
  const { line, typed } = serialLine();
  const console = openSerialConsole(line, transcript, 'A');
  line.push('\x1b[1mname:\x1b[0m ');
  await console.waitFor(/name: /, { timeoutSeconds: 1 });
  await console.type('Ada\n', { perCharacterMilliseconds: 0 });
  expect(typed).toEqual(['A', 'd', 'a', '\n']);
  line.push(null);
  await expect.poll(() => readFile(transcript, 'latin1')).toBe('\x1b[1mname:\x1b[0m ');
});
