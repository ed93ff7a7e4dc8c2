import { expect, test } from 'vitest';
import { stationTicketSchema } from '#contract/station-ticket.ts';
import { somePassport } from '#test/support/some-passport.ts';

const ticketWith = (path: string) => ({
  ...{ formatVersion: 1, station: 'OS-SRV-1A', passport: somePassport(), builtAt: '2026-11-27T09:30:00Z' },
  ...{ kernel: '6.1.0-1-amd64', fileSystemUuid: '1A2B-3C4D' },
  files: [{ path, bytes: 1, sha256: '0'.repeat(64) }],
});
const isTicket = (path: string) => stationTicketSchema.safeParse(ticketWith(path)).success;

test('a ticket names files below the root of its medium only', () => {
  expect(['rekindle/vmlinuz', 'EFI/BOOT/BOOTX64.EFI', '.disk/info'].every(isTicket)).toBe(true);
  const outside = ['../vmlinuz', 'boot/../../vmlinuz', '/etc/passwd', 'boot/..', 'boot//grub', ''];
  expect(outside.filter(isTicket)).toEqual([]);
});
