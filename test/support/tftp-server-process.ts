/**
 * A TFTP server as a process, because a test cannot move itself into a network namespace. Argument: {address,
 * files: name to path} as JSON; prints every event as a JSON line; ends when its standard input does.
 */
import { readFileSync } from 'node:fs';
import { startTftpServer } from '#pxe-server/tftp/tftp-server.ts';

const argument = JSON.parse(process.argv[2] ?? '') as { address: string; files: Record<string, string> };
const files = Object.entries(argument.files).map(
  ([name, path]) => [name, { bytes: readFileSync(path) }] as const,
);

const server = await startTftpServer({
  address: argument.address,
  port: 69,
  files: new Map(files),
  onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
});
process.stdin.resume().once('end', () => void server.close());
