import { bringUpBootCard, stopDhcpClient } from '#runtime/network/bring-up.ts';

/** `node bring-up-boot-card.ts MAC SECONDS FOLDER`, to be run inside a network namespace; prints JSON lines. */
const [bootMac = '', seconds = '60', folder = '/tmp'] = process.argv.slice(2);
const say = (sentence: string) => console.log(JSON.stringify({ said: sentence }));

try {
  const network = await bringUpBootCard({ bootMac, say, waitSeconds: Number(seconds), folder });
  console.log(JSON.stringify({ network }));
} catch (error) {
  console.log(
    JSON.stringify({ failed: error instanceof Error ? `${error.message}: ${String(error.cause)}` : error }),
  );
} finally {
  stopDhcpClient();
}
