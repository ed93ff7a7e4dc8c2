/** How far a machine is on its way from F12 to the restored system, in order; `steps` is what the runtime did. */
export const bootStages = ['firmware', 'loader', 'ipxe', 'boot-files', 'runtime', 'steps'] as const;
export type BootStage = (typeof bootStages)[number];

/** One line of the journal: what a machine did, as a sentence. */
export interface JournalEntry {
  readonly at: Date;
  /** MAC address, or the IP address where that is not known. */
  readonly machine: string;
  readonly stage: BootStage;
  readonly sentence: string;
}

/**
 * Entries of one machine, oldest first, as boot conversations. A machine only moves forward during one boot:
 * an entry of an earlier stage than the one reached is a machine that was started again.
 */
export function groupBoots<Entry extends Pick<JournalEntry, 'stage'>>(entries: readonly Entry[]): Entry[][] {
  const boots: Entry[][] = [];
  let reached = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const rank = bootStages.indexOf(entry.stage);
    if (rank < reached && (boots.length === 0 || rank < bootStages.indexOf('boot-files'))) {
      boots.push([]);
      reached = rank;
    }
    boots.at(-1)?.push(entry);
    reached = Math.max(reached, rank);
  }
  return boots;
}

/** DHCP of no firmware: the runtime's, or just as well the installed system's. `recordDhcpEvent` writes it. */
export function isPlainDhcp({ stage, sentence }: JournalEntry): boolean {
  return stage === 'runtime' && /^[A-Z]+( \(through relay [\d.]+\))? gets (OFFER|ACK|NAK)\b/.test(sentence);
}
