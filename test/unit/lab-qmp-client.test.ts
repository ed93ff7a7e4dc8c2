import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { openQmp } from '#scripts/rehearsal/qmp-client.ts';

test('a QEMU that resets the connection as it ends is a refused command, and no error that nobody catches', async () => {
  const server = createServer((socket: Socket) => {
    socket.write('{"QMP": {"version": {}, "capabilities": []}}\n');
    socket.on('data', (bytes) => {
      const { execute, id } = JSON.parse(bytes.toString('utf8'));
      if (execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${id}}\n`);
      else socket.resetAndDestroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const qmp = await openQmp(connect(port, '127.0.0.1'), 'machine');
  await expect(qmp.execute('quit')).rejects.toThrow('QEMU refused quit');
  await expect(qmp.execute('cont')).rejects.toThrow('QEMU refused cont');
  server.close();
});
