import { expect, test } from 'vitest';
import { callTool, runTool, runToolForBytes } from '#base/run-tool.ts';

const sh = { command: 'sh', debianPackage: 'dash' };

test('input goes in, bytes come out as they are', async () => {
  const bytes = Buffer.from([0, 0xff, 0x0a, 0x80]);
  const cat = { command: 'cat', debianPackage: 'coreutils' };
  expect(await runToolForBytes('copying', cat, [], { input: bytes })).toEqual(bytes);
});

test('folder and environment are the caller’s, the language is always the same', async () => {
  const said = await runTool('looking', sh, ['-c', 'pwd; echo $COLOUR $LC_ALL'], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', COLOUR: 'green', LC_ALL: 'de_DE' },
  });
  expect(said).toBe('/\ngreen C.UTF-8\n');
});

test('a status is a value to the one who asks for it, an error with the tool’s words to the other', async () => {
  const fail = ['-c', 'echo half; echo no space >&2; exit 3'];
  expect(await callTool('writing', sh, fail)).toMatchObject({ status: 3, stderr: 'no space\n' });
  await expect(runTool('writing the list', sh, fail)).rejects.toMatchObject({
    code: 'unexpected',
    message: 'sh failed with status 3 while writing the list',
    cause: { message: 'half\n\nno space' },
  });
});

test('progress is heard while it runs, and what was written over is not in the report', async () => {
  const parts: string[] = [];
  const script = "printf '\\r 10 %%\\r 20 %%' >&2; sleep 0.2; printf '\\r\\rno space\\r\\n30 %%' >&2; exit 1";
  const { stderr } = await callTool('writing', sh, ['-c', script], { onStderr: (part) => parts.push(part) });
  expect(parts[0]).toBe('\r 10 %\r 20 %');
  expect(stderr).toBe('no space\r\n30 %');
});

test('a tool that a signal ends has failed', async () => {
  await expect(runTool('waiting', sh, ['-c', 'kill -9 $$'])).rejects.toMatchObject({
    cause: { message: 'ended by SIGKILL' },
  });
});

test('a tool that does not read its input is judged by its status', async () => {
  const status = (await callTool('ending', sh, ['-c', 'exit 0'], { input: Buffer.alloc(1 << 20) })).status;
  expect(status).toBe(0);
});

test('a missing tool is named with its Debian package', async () => {
  const missing = { command: 'no-such-tool-here', debianPackage: 'some-package' };
  await expect(runTool('checking the disk', missing, [])).rejects.toMatchObject({
    code: 'usage',
    message: 'checking the disk: no-such-tool-here did not start',
    next: 'Install the Debian package some-package: apt-get install some-package',
  });
});
