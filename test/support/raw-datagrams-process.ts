/** Sends one raw datagram from the namespace it runs in. Argument: [hex, from, to]. */
import { openRawSender, type RawEndpoint } from './raw-datagrams.ts';

const [hex, from, to]: [string, RawEndpoint, RawEndpoint] = JSON.parse(process.argv[2] ?? '');
using sender = openRawSender();
await sender.send(Buffer.from(hex, 'hex'), from, to);
