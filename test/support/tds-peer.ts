import { createServer, type Server, type Socket } from 'node:net';

/**
 * A server that speaks as much of TDS 7.4 ([MS-TDS]) as one client session needs: PRELOGIN, LOGIN7, SQL batches
 * with the tests' own answers. It knows no SQL: what it cannot prove is whether an SQL Server would do as told.
 */
export interface TdsPeer extends AsyncDisposable {
  readonly port: number;
  /** Texts of the batches, in order. */
  readonly batches: string[];
  readonly logIns: { readonly user: string; readonly password: string }[];
}

export type TdsAnswer =
  | { readonly rows: readonly Readonly<Record<string, string | number | null>>[] }
  | { readonly error: { readonly number: number; readonly message: string } }
  /** The connection breaks in the middle of the answer. */
  | { readonly cut: true };

export interface TdsPeerOptions {
  readonly accepts: (user: string, password: string) => boolean;
  readonly answer: (batch: string) => TdsAnswer;
}

const packet = { sqlBatch: 0x01, reply: 0x04, login: 0x10, prelogin: 0x12 } as const;
const headerBytes = 8;
const endOfMessage = 0x01;

export async function startTdsPeer(options: TdsPeerOptions): Promise<TdsPeer> {
  const batches: string[] = [];
  const logIns: { user: string; password: string }[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    readMessages(socket, (type, body) => {
      if (type === packet.prelogin) return send(socket, preloginReply);
      if (type === packet.login) {
        const logIn = parseLogin(body);
        logIns.push(logIn);
        const accepted = options.accepts(logIn.user, logIn.password);
        return send(socket, accepted ? Buffer.concat([loginAck(), done(0)]) : loginRefused(logIn.user));
      }
      if (type !== packet.sqlBatch) return;
      const batch = body.toString('utf16le', body.readUInt32LE(0));
      // The client sets up its session first.
      if (batch.startsWith('set ')) return send(socket, done(0));
      batches.push(batch);
      const answer = options.answer(batch);
      if ('cut' in answer) return void socket.destroy();
      send(socket, 'rows' in answer ? rowsReply(answer.rows) : errorReply(answer.error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    batches,
    logIns,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Joins packets to messages ([MS-TDS] 2.2.3.1: type, status, length, SPID, number, window). */
function readMessages(socket: Socket, onMessage: (type: number, body: Buffer) => void): void {
  let received = Buffer.alloc(0);
  let parts: Buffer[] = [];
  socket.on('data', (data: Buffer) => {
    received = Buffer.concat([received, data]);
    while (received.length >= headerBytes) {
      const length = received.readUInt16BE(2);
      if (received.length < length) return;
      const [type = 0, status = 0] = received;
      parts.push(received.subarray(headerBytes, length));
      received = received.subarray(length);
      if ((status & endOfMessage) === 0) continue;
      const body = Buffer.concat(parts);
      parts = [];
      onMessage(type, body);
    }
  });
}

function send(socket: Socket, body: Buffer): void {
  const most = 4096 - headerBytes;
  for (let at = 0; at === 0 || at < body.length; at += most) {
    const part = body.subarray(at, at + most);
    const header = Buffer.alloc(headerBytes);
    header[0] = packet.reply;
    header[1] = at + most >= body.length ? endOfMessage : 0;
    header.writeUInt16BE(headerBytes + part.length, 2);
    header[6] = 1;
    socket.write(Buffer.concat([header, part]));
  }
}

/** Version, and "encryption not supported" (2). */
const preloginReply = Buffer.from([
  ...[0x00, 0, 11, 0, 6, 0x01, 0, 17, 0, 1, 0xff],
  ...[10, 50, 0x06, 0x40, 0, 0, 0x02],
]);

/** LOGIN7: offsets in characters' pairs from byte 36; the password is nibble-swapped and XORed with A5. */
function parseLogin(body: Buffer): { user: string; password: string } {
  const field = (at: number): Buffer => {
    const start = body.readUInt16LE(at);
    return body.subarray(start, start + body.readUInt16LE(at + 2) * 2);
  };
  const password = field(44).map((byte) => {
    const plain = byte ^ 0xa5;
    return ((plain << 4) & 0xf0) | (plain >> 4);
  });
  return { user: field(40).toString('utf16le'), password: Buffer.from(password).toString('utf16le') };
}

function shortText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'utf16le')]);
}
function longText(text: string): Buffer {
  return Buffer.concat([uint16(text.length), Buffer.from(text, 'utf16le')]);
}
function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
function token(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), uint16(body.length), body]);
}

function loginAck(): Buffer {
  const version = Buffer.from([0x74, 0, 0, 4]);
  return token(
    0xad,
    Buffer.concat([Buffer.from([1]), version, shortText('test peer'), Buffer.from([10, 50, 6, 64])]),
  );
}
function loginRefused(user: string): Buffer {
  return errorReply({ number: 18456, message: `Login failed for user '${user}'.` }, 14);
}
function errorReply({ number, message }: { number: number; message: string }, severity = 16): Buffer {
  const body = Buffer.concat([
    uint32(number),
    Buffer.from([1, severity]),
    longText(message),
    shortText('TEST'),
    shortText(''),
    uint32(1),
  ]);
  return Buffer.concat([token(0xaa, body), done(0, 0x02)]);
}
function done(rows: number, status = 0): Buffer {
  const bytes = Buffer.alloc(13);
  bytes[0] = 0xfd;
  bytes.writeUInt16LE(status | (rows > 0 ? 0x10 : 0), 1);
  bytes.writeBigUInt64LE(BigInt(rows), 5);
  return bytes;
}

/** Columns by the first row: numbers are INTN, everything else NVARCHAR(4000). */
function rowsReply(rows: readonly Readonly<Record<string, string | number | null>>[]): Buffer {
  const names = Object.keys(rows[0] ?? { nothing: '' });
  const numeric = names.map((name) => rows.some((row) => typeof row[name] === 'number'));
  const columns = names.map((name, at) =>
    Buffer.concat([
      uint32(0),
      uint16(1),
      numeric[at] === true
        ? Buffer.from([0x26, 4])
        : Buffer.from([0xe7, 0x40, 0x1f, 0x09, 0x04, 0xd0, 0, 0x34]),
      shortText(name),
    ]),
  );
  const values = rows.map((row) =>
    Buffer.concat([
      Buffer.from([0xd1]),
      ...names.map((name, at) => {
        const value = row[name] ?? null;
        if (numeric[at] === true) {
          return value === null ? Buffer.from([0]) : Buffer.concat([Buffer.from([4]), uint32(Number(value))]);
        }
        if (value === null) return uint16(0xffff);
        const text = Buffer.from(String(value), 'utf16le');
        return Buffer.concat([uint16(text.length), text]);
      }),
    ]),
  );
  return Buffer.concat([Buffer.from([0x81]), uint16(names.length), ...columns, ...values, done(rows.length)]);
}
