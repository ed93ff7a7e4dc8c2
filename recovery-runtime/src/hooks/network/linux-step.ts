import { stepExitCodes } from '#contract/first-boot.ts';
import type { PairedCard } from './pair-cards.ts';

export const linuxOrderFile = 'network-order.sh';
export const cardTableFile = 'network-order.txt';
/** How often a card without an interface is looked for: a driver may come late. */
export const orderLooks = 8;

const { retry, unverified } = stepExitCodes;

/** A line a card, in the passport's order: slot, address, name that the system's own files give it (- for any). */
export function formatLinuxTable(cards: readonly PairedCard[], names: ReadonlyMap<string, string>): string {
  return cards.map(({ slot, mac }) => `${slot} ${mac} ${names.get(mac) ?? '-'}\n`).join('');
}

/**
 * Looks at sysfs (Documentation/ABI/testing/sysfs-class-net): where each card's interface is, its address, its name.
 * An address that the system has set itself (addr_assign_type 3: a bond) is not compared. Names of the kernel's own
 * counting (name_assign_type 1) are bound to nothing.
 */
export const linuxOrderScript = `#!/bin/sh
# Are the network cards where the station's passport has them, and called what the system's own files say?
set -u
table=$1
sys=\${2:-/sys}
looks=$(($(cat network-order.looks 2>/dev/null || echo 0) + 1))
echo "$looks" >network-order.looks
wrong= missing= counted= list=
number=0
while read -r slot mac name; do
  number=$((number + 1))
  interface= other=
  for net in "$sys"/class/net/*; do
    [ -e "$net/device" ] || continue
    place=$(readlink -f "$net/device" | grep -o '[0-9a-f]\\{4\\}:[0-9a-f]\\{2\\}:[0-9a-f]\\{2\\}\\.[0-7]' | tail -n 1)
    [ "$place" = "$slot" ] || continue
    is=$(cat "$net/address")
    if [ "$is" = "$mac" ]; then
      interface=\${net##*/}
      other=
      break
    fi
    if [ "$(cat "$net/addr_assign_type" 2>/dev/null)" = 3 ]; then
      interface=\${net##*/}
    else
      other="\${net##*/} with the address $is"
    fi
  done
  if [ -z "$interface" ] && [ -z "$other" ]; then
    echo "slot $slot: no interface"
    missing="$missing Slot $slot has no network interface."
    continue
  fi
  if [ -z "$interface" ]; then
    echo "slot $slot: $other"
    wrong="$wrong In slot $slot is $other instead of $mac."
    continue
  fi
  echo "slot $slot: $interface, $mac"
  list="$list, $interface"
  if [ "$name" != - ] && [ "$name" != "$interface" ]; then
    wrong="$wrong The card $mac in slot $slot is called $interface, and the system's files say $name."
  fi
  if [ "$name" = - ] && [ "$(cat "$sys/class/net/$interface/name_assign_type" 2>/dev/null)" = 1 ]; then
    counted="$counted $interface"
  fi
done <"$table"
if [ "$number" = 0 ]; then
  echo "Its list of network cards is empty: nothing was compared."
  exit 1
fi
if [ -n "$missing" ] && [ "$looks" -lt ${orderLooks} ]; then exit ${retry}; fi
wrong="$wrong$missing"
if [ -n "$wrong" ]; then
  echo "The network cards are not as in the station's passport.$wrong"
  exit 1
fi
if [ "$number" -gt 1 ] && [ -n "$counted" ]; then
  echo "The cards are in their slots, but the kernel counts$counted in the order in which it finds them: nothing binds these names to cards."
  exit ${unverified}
fi
echo "Network cards in the passport's order: \${list#, }."
exit 0
`;
