import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { program } from '#scripts/program.ts';
import { verbExamples } from '#scripts/verb-examples.ts';

function* verbsOf(command: Command, name: string): Generator<readonly [name: string, verb: Command]> {
  if (command.commands.length === 0) yield [name, command];
  for (const child of command.commands) yield* verbsOf(child, `${name} ${child.name()}`.trim());
}
const verbs = new Map(verbsOf(program(), ''));

test('every verb has examples of its own, and only options that it knows', () => {
  // rehearse brings its own, in its own file.
  expect([...verbs.keys()].filter((name) => verbExamples[name] === undefined)).toEqual(['rehearse']);
  for (const [name, lines] of Object.entries(verbExamples)) {
    for (const line of lines) {
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
