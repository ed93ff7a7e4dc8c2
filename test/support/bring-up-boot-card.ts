import { stationNetworkSchema } from '#contract/station-network.ts';
import { bringUpBootCard } from '#runtime/network/bring-up.ts';
import { stopDhcpClient } from '#runtime/network/dhcp-client.ts';

/** `node bring-up-boot-card.ts MAC FOLDER SETTINGS`, settings as JSON, the service at 10.77.7.1; to be run inside a network namespace; prints JSON lines. */
const [bootMac = '', folder = '/tmp', settings = '{}'] = process.argv.slice(2);
const say = (sentence: string) => console.log(JSON.stringify({ said: sentence }));

try {
  const network = await bringUpBootCard({
    bootMac,
    network: stationNetworkSchema.parse(JSON.parse(settings)),
    server: '10.77.7.1',
    say,
    folder,
  });
  console.log(JSON.stringify({ network }));
} catch (error) {
  console.log(
    JSON.stringify({ failed: error instanceof Error ? `${error.message}: ${String(error.cause)}` : error }),
  );
} finally {
  stopDhcpClient();
}
