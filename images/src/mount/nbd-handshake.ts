import type { ByteReader } from './byte-reader.ts';
import type { ExportDevice } from './export-device.ts';
import * as nbd from './nbd-protocol.ts';

/** What client and server agreed on before the first request. */
export interface Agreement {
  readonly structuredReplies: boolean;
  /** The client asked for `base:allocation` and may ask which parts are zeros. */
  readonly blockStatus: boolean;
}

export type HandshakeResult =
  | { readonly kind: 'agreed'; readonly agreement: Agreement }
  /** The client went away, or said something that no client says. */
  | { readonly kind: 'ended'; readonly reason?: string };

/** There is one disk; clients that ask for a name get it by none, the default export of the protocol. */
const exportName = '';
const contextName = 'base:allocation';
export const contextId = 1;
/** The largest read; clients that were not told assume the same. */
export const largestRead = 32 << 20;
const preferredRead = 1 << 20;
/** Names are at most 4096 bytes; nothing that a client sends here needs more. */
const optionDataLimit = 64 << 10;
const optionLimit = 256;

const { option, optionReply, transmissionFlag } = nbd;
const flags =
  transmissionFlag.hasFlags |
  transmissionFlag.readOnly |
  transmissionFlag.sendDf |
  transmissionFlag.canMultiConn;

/** Fixed newstyle negotiation up to the first request. */
export async function shakeHands(
  reader: ByteReader,
  write: (bytes: Buffer) => void,
  device: ExportDevice,
): Promise<HandshakeResult> {
  write(nbd.formatGreeting());
  const clientFlags = (await reader.read(nbd.clientFlagsBytes))?.readUInt32BE(0);
  if (clientFlags === undefined) return { kind: 'ended' };
  const { fixedNewstyle, noZeroes } = nbd.handshakeFlag;
  if ((clientFlags & fixedNewstyle) === 0 || (clientFlags & ~(fixedNewstyle | noZeroes)) !== 0)
    return { kind: 'ended', reason: `client flags 0x${clientFlags.toString(16)} are not understood` };

  let structuredReplies = false;
  let blockStatus = false;
  const agreed = (): HandshakeResult => ({ kind: 'agreed', agreement: { structuredReplies, blockStatus } });
  for (let count = 0; count < optionLimit; count++) {
    const head = await reader.read(nbd.optionHeaderBytes);
    if (head === null) return { kind: 'ended' };
    const asked = nbd.parseOptionHeader(head);
    if (asked === null) return { kind: 'ended', reason: 'an option does not begin as one' };
    if (asked.dataBytes > optionDataLimit)
      return { kind: 'ended', reason: `option ${asked.option} has ${asked.dataBytes} bytes of data` };
    const data = await reader.read(asked.dataBytes);
    if (data === null) return { kind: 'ended' };
    const reply = (type: number, content?: Uint8Array): void =>
      write(nbd.formatOptionReply(asked.option, type, content));

    switch (asked.option) {
      case option.exportName:
        // This option has no way to refuse but to hang up.
        if (data.toString() !== exportName)
          return { kind: 'ended', reason: `there is no export "${data.toString().slice(0, 80)}"` };
        write(nbd.formatSizeAndFlags(device.sizeBytes, flags));
        if ((clientFlags & noZeroes) === 0) write(Buffer.alloc(124));
        return agreed();
      case option.abort:
        reply(optionReply.ack);
        return { kind: 'ended' };
      case option.list:
        if (data.length > 0) reply(optionReply.invalid, Buffer.from('a list has no data'));
        else {
          reply(optionReply.server, nbd.formatExportName(exportName));
          reply(optionReply.ack);
        }
        break;
      case option.info:
      case option.go: {
        const request = nbd.parseInfoRequest(data);
        if (request === null) reply(optionReply.invalid, Buffer.from('the lengths do not add up'));
        else if (request.exportName !== exportName) reply(optionReply.unknownExport);
        else {
          reply(optionReply.info, nbd.formatExportInfo(device.sizeBytes, flags));
          reply(optionReply.info, nbd.formatBlockSizes(1, preferredRead, largestRead));
          reply(optionReply.ack);
          if (asked.option === option.go) return agreed();
        }
        break;
      }
      case option.structuredReply:
        if (data.length > 0) reply(optionReply.invalid, Buffer.from('structured replies have no data'));
        else {
          structuredReplies = true;
          reply(optionReply.ack);
        }
        break;
      case option.listMetaContext:
      case option.setMetaContext: {
        const request = nbd.parseMetaContextRequest(data);
        const setting = asked.option === option.setMetaContext;
        if (request === null || !structuredReplies)
          reply(
            optionReply.invalid,
            Buffer.from(request === null ? 'the lengths do not add up' : 'structured replies come first'),
          );
        else if (request.exportName !== exportName) reply(optionReply.unknownExport);
        else {
          // An empty list asks for everything; when setting, for nothing.
          const wanted = setting
            ? request.queries.includes(contextName)
            : request.queries.length === 0 ||
              request.queries.some((query) => query === contextName || query === 'base:');
          if (setting) blockStatus = wanted;
          if (wanted)
            reply(optionReply.metaContext, nbd.formatMetaContext(setting ? contextId : 0, contextName));
          reply(optionReply.ack);
        }
        break;
      }
      default:
        reply(optionReply.unsupported);
    }
  }
  return { kind: 'ended', reason: `more than ${optionLimit} options` };
}
