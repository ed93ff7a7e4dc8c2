import type { HookWork, Precondition } from '#contract/hook-work.ts';
import type { OfflineContext, OfflineHook } from '../offline-hook.ts';
import {
  type ConfigurationFile,
  namesByAddress,
  readNetworkFiles,
  withNewAddresses,
  writeNetworkFile,
} from './linux-names.ts';
import {
  cardTableFile,
  formatLinuxTable,
  linuxOrderFile,
  linuxOrderScript,
  orderLooks,
} from './linux-step.ts';
import { pairCards } from './pair-cards.ts';
import { formatWindowsTable, ofCards, readConnections, windowsOrderFile } from './windows-connections.ts';

type Context = OfflineContext<'network-order'>;

interface Planned {
  /** Files of a Linux that name a card which was replaced, as they are to be. */
  readonly files: readonly ConfigurationFile[];
  /** What the first-boot step expects. */
  readonly table: string;
}

const retrySeconds = 15;

/**
 * A card that was replaced has another address: the Linux files that bind its name to the old one get the new one
 * before the first start. Windows shows only then whether it takes the card for a new one; its step gives name,
 * address and order back. Both are checked where they count, on the running station.
 */
const offline: HookWork<Context, Planned> = {
  async precondition({ system, networkCards }) {
    if (networkCards.machine.length === 0)
      return { kind: 'skip', reason: 'The station has no network card.' };
    if (system.kind === 'unknown')
      return refuse(`The restored system could not be opened: ${system.reason}.`);
    if (system.kind === 'linux') return { kind: 'ready' };
    const connections = ofCards(await readConnections(system), cardsOf(networkCards));
    return connections.length > 0
      ? { kind: 'ready' }
      : refuse('The restored Windows has no connection of any network card of the station.');
  },
  async plan({ system, networkCards }) {
    const cards = cardsOf(networkCards);
    const replaced = cards.flatMap(({ slot, mac, was }) =>
      was === undefined ? [] : [`${mac} instead of ${was} in slot ${slot}`],
    );
    const evidence = replaced.map((value) => ({ name: 'replaced card', value }));
    if (system.kind === 'windows') {
      const connections = ofCards(await readConnections(system), cards);
      const names = connections.map(({ name }) => `"${name}"`).join(', ');
      const sentence = `${names}: names and order are checked at the first start, and given back.`;
      return {
        planned: { files: [], table: formatWindowsTable(connections) },
        lines: [{ kind: 'change', sentence }],
        evidence: [
          ...evidence,
          ...connections.map(({ slot, name, guid }) => ({ name: `slot ${slot}`, value: `${name} ${guid}` })),
        ],
      };
    }
    const found = system.kind === 'linux' ? readNetworkFiles(system.root) : [];
    const files = withNewAddresses(found, cards);
    const now = found.map((file) => files.find(({ name }) => name === file.name) ?? file);
    return {
      planned: { files, table: formatLinuxTable(cards, namesByAddress(now)) },
      lines: files.map(({ name }) => ({
        kind: 'change' as const,
        sentence: `/${name} gets the address of the new network card: ${replaced.join(', ')}.`,
      })),
      evidence,
    };
  },
  async apply(context, { files, table }) {
    const { system, stage } = context;
    if (system.kind === 'linux') for (const file of files) writeNetworkFile(system.root, file);
    const step =
      system.kind === 'linux'
        ? { name: linuxOrderFile, bytes: Buffer.from(linuxOrderScript) }
        : { name: windowsOrderFile, bytes: await context.readFirstBootFile(`windows/${windowsOrderFile}`) };
    stage.addFile(step);
    stage.addFile({ name: cardTableFile, bytes: Buffer.from(table) });
    stage.addStep({
      command:
        system.kind === 'linux'
          ? `sh ./${linuxOrderFile} ${cardTableFile}`
          : `%SystemRoot%\\System32\\cscript.exe //NoLogo ${windowsOrderFile}`,
      retrySeconds,
      // Its own word comes after its last look; a restart of Windows is a try too.
      tries: orderLooks + 3,
    });
  },
  async verify({ system }, { files }) {
    const written = system.kind === 'linux' ? readNetworkFiles(system.root) : [];
    const wrong = files.filter(({ name, text }) => written.find((file) => file.name === name)?.text !== text);
    if (wrong.length > 0) {
      const sentence = `Read back, ${wrong.map(({ name }) => `/${name}`).join(', ')} is not as it was written.`;
      return { result: { outcome: 'failed', sentence }, evidence: [] };
    }
    const sentence = 'The order of the network cards is checked at the first start.';
    return { result: { outcome: 'staged', sentence }, evidence: [] };
  },
};

export const networkOrder: OfflineHook<'network-order'> = { kind: 'network-order', offline };

const cardsOf = ({ image, machine }: Context['networkCards']) => pairCards(image, machine);

const refuse = (sentence: string): Precondition => ({
  kind: 'refuse',
  sentence,
  next: 'Compare names and addresses of the network connections with the plant documents by hand.',
});
