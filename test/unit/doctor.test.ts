import { expect, test } from 'vitest';
import { type Ipv4Address, ipv4 } from '#pxe-server/boot/ipv4-address.ts';
import type { MacAddress } from '#pxe-server/boot/mac-address.ts';
import { answerDatagram } from '#pxe-server/dhcp/answer-datagram.ts';
import type { DhcpEvent } from '#pxe-server/dhcp/dhcp-event.ts';
import { createEnrolmentPool } from '#pxe-server/dhcp/enrolment-pool.ts';
import { createLeaseStore } from '#pxe-server/dhcp/lease-store.ts';
import type { DhcpSettings } from '#pxe-server/dhcp/settings.ts';
import { checkTools, judgePrivileges } from '#pxe-server/doctor/check-computer.ts';
import { judgePort } from '#pxe-server/doctor/check-ports.ts';
import { judgeClock, judgeNetworks } from '#pxe-server/doctor/check-site.ts';
import { createJournal } from '#pxe-server/journal/journal.ts';
import { judgeBoot } from '#pxe-server/journal/judge-boot.ts';
import { noteReached } from '#pxe-server/journal/note-reached.ts';
import { recordDhcpEvent, recordTftpEvent } from '#pxe-server/serve/boot-events.ts';
import { createLog } from '#pxe-server/serve/log.ts';
import { judgeDhcpServers } from '#pxe-server/serve/watch-dhcp-servers.ts';
import { openState } from '#pxe-server/site/state.ts';
import { request } from '#test/support/dhcp-datagrams.ts';

const mac = '52:54:00:00:00:01' as MacAddress;
const log = createLog('error');
const fail = () => expect.unreachable();

type BootEvent = Partial<DhcpEvent> | { loader: 'done' | 'timed-out'; file?: string } | { file: string };

/** The journal of a machine, written by the same code as in the service. */
function bootOf(...events: readonly BootEvent[]) {
  const journal = createJournal(openState(':memory:'), { keptBoots: 20 });
  const machine = { mac, xid: 1, port: 67, to: { address: ipv4('255.255.255.255'), port: 68 } };
  for (const event of events) {
    if ('loader' in event) {
      const outcome =
        event.loader === 'done' ? { kind: 'done' as const } : { kind: 'timed-out' as const, acknowledged: 7 };
      const client = `${mac}:2070`;
      recordTftpEvent(journal, log, {
        event: 'finished',
        client,
        fileName: event.file ?? 'snponly.efi',
        outcome,
        bytes: 9,
        milliseconds: 1,
      });
    } else if ('file' in event) journal.record({ machine: mac, stage: 'boot-files', sentence: event.file });
    else recordDhcpEvent(journal, log, { event: 'replied', ...machine, ...event } as DhcpEvent);
  }
  return journal.boots(mac).flat();
}
const offer = {
  request: 'DISCOVER',
  reply: 'OFFER',
  firmwareKind: 'uefi-x64',
  bootFile: 'snponly.efi',
} as const;
const ack = { ...offer, request: 'REQUEST', reply: 'ACK' } as const;
const later = Date.now() + 120_000;

test('a boot that ended is explained by how far it came', () => {
  expect(judgeBoot(bootOf(offer), 'proxy', later)).toContain('this firmware ignores split offers');
  expect(judgeBoot(bootOf(offer), 'reservation', later)).toContain('the offer of another DHCP server');
  expect(judgeBoot(bootOf(offer, ack), 'reservation', later)).toContain('blocks TFTP');
  expect(judgeBoot(bootOf({ ...offer, firmwareKind: 'ipxe-uefi' }), 'proxy', later)).toContain(
    'did not fetch its boot script',
  );
  expect(judgeBoot(bootOf({ file: 'gets the boot script: recovery of X' }), 'proxy', later)).toContain(
    'never called back',
  );
});

test('pain 9: a runtime that never calls back: memory, driver, firewall or switch port, and its address alone is no call', () => {
  const script = { file: 'gets the boot script: recovery of X' };
  const menu = { file: 'gets the boot menu of X for 10 s' };
  const plain = { request: 'REQUEST', reply: 'ACK', address: ipv4('10.77.0.20') } as const;
  const judged = (...events: readonly BootEvent[]) => judgeBoot(bootOf(...events), 'reservation', later);
  expect(judged(menu, script)).toMatch(/8443\/tcp.*spanning tree.*memory.*driver/);
  expect(judged(menu, { file: 'gets the runtime in 0.4 s' })).toContain('never called back');
  expect(judged({ loader: 'done', file: 'boot/runtime.img' })).toContain('never called back');
  expect(judged(script, plain)).toMatch(/has got its address, but never called back.*8443\/tcp/);
  expect(judged(script, { ...plain, relay: ipv4('10.88.0.1') })).toContain('has got its address');
  // The installed system asks for an address too.
  expect(judged(script, menu, { file: 'starts from its local disk: chosen' }, plain)).toBeUndefined();
  expect(judged(menu, { file: 'chose Memory test in its boot menu' }, plain)).toBeUndefined();
  expect(judged(plain)).toBeUndefined();
});

test('the first call of the runtime is noted once, and only behind a boot', () => {
  const journal = createJournal(openState(':memory:'), { keptBoots: 20 });
  const machine = '10.77.9.9';
  noteReached(journal, machine);
  expect(journal.boots(machine)).toEqual([]);
  journal.record({ machine, stage: 'boot-files', sentence: 'gets the boot script: recovery of X' });
  for (let call = 0; call < 3; call++) noteReached(journal, `::ffff:${machine}`);
  const [boot = []] = journal.boots(machine);
  expect(boot.map(({ sentence }) => sentence)).toEqual([
    'gets the boot script: recovery of X',
    'its runtime has reached the service',
  ]);
  expect(judgeBoot(boot, 'proxy', later)).toBeUndefined();
});

test('what an installed system asks of us is no call of a runtime', () => {
  const machine = '10.77.9.9';
  const askedAfter = (...sentences: readonly string[]) => {
    const journal = createJournal(openState(':memory:'), { keptBoots: 20 });
    for (const sentence of sentences) journal.record({ machine, stage: 'boot-files', sentence });
    noteReached(journal, machine);
    return journal.boots(machine).flat().length > sentences.length;
  };
  expect(askedAfter('goes on to its local disk')).toBe(false);
  expect(askedAfter('gets the boot script: recovery of X', 'goes on to its local disk')).toBe(false);
  expect(askedAfter('gets the boot menu of X for 10 s')).toBe(false);
  expect(askedAfter('gets the boot menu of X for 10 s', 'gets the boot script: recovery of X')).toBe(true);
});

test('pain 7: a loader that was fetched and not heard: the other one comes by itself, and what to do when both fail', () => {
  const start = (file: 'snponly.efi' | 'undionly.kpxe' | 'shimx64.efi', secondTry?: string) =>
    judgeBoot(
      bootOf({ ...offer, ...(secondTry && { secondTry }) }, ack, { loader: 'done', file }),
      'reservation',
      later,
    );
  expect(start('snponly.efi')).toMatch(
    /Secure Boot refuses it.*the other iPXE by itself.*--loader signed-grub/,
  );
  expect(start('undionly.kpxe')).toMatch(
    /its network driver fails\. Start .*the other iPXE.*--loader lpxelinux/,
  );
  expect(start('undionly.kpxe')).not.toContain('Secure Boot');
  expect(start('shimx64.efi')).not.toContain('by itself');
  const second = 'nothing was heard of the last start of ipxe.efi: offering snponly.efi, which …';
  expect(start('snponly.efi', second)).toMatch(
    /^neither iPXE.*Secure Boot refuses both.*--loader signed-grub/,
  );
  const boot = bootOf({ ...offer, secondTry: second }, { ...ack, secondTry: second });
  expect(boot.map(({ sentence }) => sentence)).toEqual([
    second,
    'DISCOVER (uefi-x64) gets OFFER, boot file snponly.efi',
    'REQUEST (uefi-x64) gets ACK, boot file snponly.efi',
  ]);
});

test('a boot that goes on, went to its disk or is none of ours needs no explanation', () => {
  expect(judgeBoot(bootOf(offer), 'proxy')).toBeUndefined();
  expect(judgeBoot(bootOf({ file: 'gets the boot menu of X for 10 s' }), 'proxy', later)).toBeUndefined();
  expect(judgeBoot([], 'proxy', later)).toBeUndefined();
  const ignored = {
    event: 'ignored',
    request: 'DISCOVER',
    firmwareKind: 'bios',
    reasons: ['unknown machine'],
  } as const;
  const boot = bootOf(ignored);
  expect(boot[0]?.sentence).toBe('DISCOVER (bios) gets no answer: unknown machine');
  expect(judgeBoot(boot, 'proxy', later)).toBeUndefined();
});

test('what UEFI fetches behind a router is its own: the boot server has answered that address', () => {
  const journal = createJournal(openState(':memory:'), { keptBoots: 20 });
  const to = { address: ipv4('10.88.0.20'), port: 4011 };
  recordDhcpEvent(journal, log, { ...ack, event: 'replied', mac, xid: 1, port: 4011, to });
  const fetched = { outcome: { kind: 'done' as const }, bytes: 9, milliseconds: 1 };
  recordTftpEvent(journal, log, {
    ...{ event: 'finished', client: '10.88.0.20:2070', fileName: 'snponly.efi', ...fetched },
  });
  expect(journal.boots(mac).flat()).toHaveLength(2);
});

test('conflicts, declined addresses and foreign servers are sentences in the journal', () => {
  const firmwareKind = 'bios' as const;
  const address = ipv4('10.77.0.21');
  const user = '52:54:00:00:00:66' as MacAddress;
  const otherServer: Ipv4Address = ipv4('10.77.0.2');
  const sentences = bootOf(
    { event: 'conflict', request: 'DISCOVER', firmwareKind, address, user },
    { event: 'declined', request: 'DECLINE', firmwareKind, address },
    { event: 'ignored', request: 'REQUEST', firmwareKind, reasons: ['x'], otherServer },
  ).map(({ sentence }) => sentence);
  expect(sentences[0]).toContain(`the network card ${user} answers for it`);
  expect(sentences[1]).toContain('refuses the address 10.77.0.21');
  expect(sentences[2]).toBe('takes its address from the DHCP server 10.77.0.2');
});

test('a machine for which there is no loader is heard of', () => {
  const context = {
    settings: { mode: 'proxy' } as DhcpSettings,
    decider: { targetFor: fail, addressFor: fail },
    pool: createEnrolmentPool(undefined, createLeaseStore(openState(':memory:'))),
  };
  const from = { address: ipv4('0.0.0.0'), port: 68 };
  const journal = createJournal(openState(':memory:'), { keptBoots: 20 });
  for (const options of [[[60, 'PXEClient:Arch:00011:UNDI:003000']], [[60, 'PXEClient']]] as const) {
    for (const type of [1, 3]) {
      const { event, send } = answerDatagram(
        request({ type, options }),
        { port: 67, from, now: Date.now() },
        context,
      );
      expect(send).toBeUndefined();
      recordDhcpEvent(journal, log, event);
    }
  }
  expect(journal.boots(mac).flat()).toMatchObject([
    {
      stage: 'firmware',
      sentence: expect.stringMatching(/^asks to boot as ARM 64 UEFI: there is no loader for it/),
    },
    {
      stage: 'firmware',
      sentence: expect.stringContaining('does not say what it is (option 93): there is no loader'),
    },
  ]);
});

test('what other DHCP servers mean depends on the mode', () => {
  const [plain, booting] = [
    { address: ipv4('10.77.0.2'), offers: ipv4('10.77.0.50') },
    { address: ipv4('10.77.0.3'), bootFile: 'pxelinux.0' },
  ];
  const card = { name: 'eth1' };
  expect(judgeDhcpServers('proxy', card, [plain])).toBeUndefined();
  expect(judgeDhcpServers('reservation', card, [])).toBeUndefined();
  expect(judgeDhcpServers('proxy', card, [])?.problem).toContain('no DHCP server gives addresses');
  expect(judgeDhcpServers('reservation', card, [plain])?.problem).toContain('gives addresses too: 10.77.0.2');
  expect(judgeDhcpServers('proxy', card, [plain, booting])?.problem).toContain(
    'tells machines what to boot: 10.77.0.3',
  );
});

test('privileges, ports, clock, networks and programs', () => {
  const status = (mask: string) => `Name:\tnode\nCapEff:\t${mask}\n`;
  expect(judgePrivileges(status('0000000000000000'), 1024).map(({ verdict }) => verdict)).toEqual([
    'problem',
    'warning',
  ]);
  expect(judgePrivileges(status('0000000000002400'), 1024)).toMatchObject([{ verdict: 'ok' }]);
  expect(judgePrivileges(status('0000000000000000'), 0).map(({ verdict }) => verdict)).toEqual(['warning']);
  const port = { protocol: 'udp', port: 69, what: 'TFTP' } as const;
  expect(judgePort('10.77.0.1', port, 'EADDRINUSE').next).toContain("ss -ulpn 'sport = :69'");
  expect(judgeClock(Date.UTC(2001, 0, 1), undefined).verdict).toBe('problem');
  expect(judgeClock(Date.UTC(2026, 10, 23), false).verdict).toBe('warning');
  expect(judgeClock(Date.UTC(2026, 10, 23), true).verdict).toBe('ok');
  const card = (name: string, address: string) => ({
    name,
    address: ipv4(address),
    netmask: ipv4('255.255.255.0'),
  });
  expect(judgeNetworks([card('eth0', '10.77.0.1'), card('eth1', '10.77.0.2')])).toMatchObject([
    { verdict: 'problem' },
  ]);
  expect(judgeNetworks([card('eth0', '10.77.0.1'), card('eth1', '10.78.0.1')])).toEqual([]);
  expect(checkTools().every(({ verdict }) => verdict === 'ok')).toBe(true);
});
