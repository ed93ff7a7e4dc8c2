/** What udhcpc's script learnt from the DHCP server. */
export interface Lease {
  readonly address: string;
  readonly prefixLength: number;
  readonly router: string | undefined;
}

/**
 * The script that udhcpc calls on every change (busybox networking/udhcp): it sets address and default route
 * itself, and leaves what it got for this program in the file `$LEASE`, renamed into place when complete.
 */
export const leaseScript = `#!/bin/sh
set -e
case "$1" in
deconfig)
  ip addr flush dev "$interface"
  ip link set "$interface" up
  ;;
bound|renew)
  ip addr replace "$ip/\${mask:-24}" dev "$interface"
  for gateway in $router; do
    ip route replace default via "$gateway" dev "$interface"
    break
  done
  printf 'address=%s\\nprefix=%s\\nrouter=%s\\n' "$ip" "\${mask:-24}" "$router" > "$LEASE.new"
  mv "$LEASE.new" "$LEASE"
  ;;
esac
`;

/** The lease file, or nothing when it is not one. */
export function parseLease(text: string): Lease | undefined {
  const values = new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return key === undefined || value === undefined ? [] : [[key, value]];
    }),
  );
  const address = values.get('address');
  const prefixLength = Number(values.get('prefix'));
  if (address === undefined || !/^\d+(\.\d+){3}$/.test(address)) return undefined;
  if (!Number.isInteger(prefixLength) || prefixLength < 1 || prefixLength > 32) return undefined;
  const router = values.get('router')?.split(' ')[0];
  return { address, prefixLength, router: router === '' ? undefined : router };
}
