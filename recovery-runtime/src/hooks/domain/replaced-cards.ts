import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';

type Cards = readonly HardwarePassport['networkCards'][number][];

/**
 * Why a card of this machine keeps the controller from being kept off the network; undefined: none does. To set a new
 * card up, Windows may install its driver again, whose INF file sets `Start` (AddService without
 * SPSVCINST_NOCLOBBER_STARTTYPE). Pure.
 */
export function replacedCardsProblem(
  { systemState, quarantine }: Pick<DomainController, 'systemState' | 'quarantine'>,
  { image, machine }: { readonly image: Cards; readonly machine: Cards },
): string | undefined {
  if (systemState.from !== 'restored-from-backup-value' || quarantine === 'by-hand') return undefined;
  const fresh = machine.filter(({ mac }) => !image.some((card) => card.mac === mac)).map(({ mac }) => mac);
  if (fresh.length === 0) return undefined;
  return `a network card was replaced since the image was taken (${fresh.join(', ')}), and Windows may let a new card's driver start`;
}

export const quarantineByHand =
  'Set `quarantine: by-hand` in its hook plan, start the restore again, and pull its network cables before it starts.';
