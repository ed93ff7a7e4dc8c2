import { spawnSync } from 'node:child_process';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { type Example, formatExamples } from '#scripts/format-examples.ts';
import { program } from '#scripts/program.ts';
import { verbExamples } from '#scripts/verb-examples.ts';
import { run } from '#test/support/restore-demo-disk.ts';

function* commandsOf(command: Command, name: string): Generator<readonly [name: string, verb: Command]> {
  yield [name, command];
  for (const child of command.commands) yield* commandsOf(child, `${name} ${child.name()}`.trim());
}
const commands = new Map(commandsOf(program(), ''));
const verbs = new Map([...commands].filter(([, command]) => command.commands.length === 0));
const commandOf = (example: Example): string => (typeof example === 'string' ? example : example[0]);

test('every verb has examples of its own, and only options that it knows', () => {
  expect([...verbs.keys()].filter((name) => verbExamples[name] === undefined)).toEqual([]);
  for (const [name, examples] of Object.entries(verbExamples)) {
    for (const line of examples.map(commandOf)) {
      expect(line).toMatch(new RegExp(`^rekindle ${name}( |$)`));
      const options = line.match(/--[a-z0-9-]+/g) ?? [];
      const known = verbs.get(name)?.options.map(({ long }) => long) ?? [];
      expect(
        options.filter((option) => !known.includes(option)),
        line,
      ).toEqual([]);
    }
  }
});

test.each([...commands.keys()])('the help of `rekindle %s` fits 80 columns', (name) => {
  let help = '';
  const command = commands.get(name);
  command?.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 80 });
  command?.outputHelp();
  expect(help).toContain('Usage: ');
  expect(help.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

test('what a verb refuses fits the terminal too', () => {
  const typed = `${process.execPath} scripts/rekindle.ts station set DC1 --role boss`;
  const { stdout } = spawnSync('script', ['-qec', `stty cols 80; ${typed}`, '/dev/null'], {
    encoding: 'utf8',
  });
  expect(stdout).toContain("argument 'boss' is invalid.");
  expect(stdout).toContain('engineering-station, domain-controller.');
  expect(stdout.split('\r\n').filter((line) => line.length >= 80)).toEqual([]);
});

describe('an example', () => {
  test.each(Object.entries(verbExamples))(
    'of `%s`, copied from the screen into a shell, is what was meant',
    (_, examples) => {
      const shown = formatExamples(examples).replace('Examples:', '');
      // What the shell makes of it: every word in a line, an empty line behind each command.
      const words = (script: string): string =>
        run('sh', '-c', `rekindle() { printf '%s\\n' "$@" ''; }\n${script}`);
      expect(words(shown)).toBe(words(examples.map(commandOf).join('\n')));
    },
  );

  test('goes on in the next line, its note stands above it', () => {
    const long = `rekindle image show ${'a'.repeat(40)} --name "two words" --other ${'b'.repeat(30)}`;
    expect(
      formatExamples([long, ['rekindle x', 'short'], ['rekindle longer', 'note'], [long, 'why']]).split('\n'),
    ).toEqual([
      '',
      'Examples:',
      `  rekindle image show ${'a'.repeat(40)} \\`,
      `    --name "two words" --other ${'b'.repeat(30)}`,
      '  rekindle x       # short',
      '  rekindle longer  # note',
      '  # why',
      `  rekindle image show ${'a'.repeat(40)} \\`,
      `    --name "two words" --other ${'b'.repeat(30)}`,
    ]);
  });
});
