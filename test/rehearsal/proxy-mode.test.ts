import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { HardwarePassport } from '#images/passport/hardware-passport.ts';
import { startForeignDhcp } from '#scripts/rehearsal/foreign-dhcp.ts';
import type { FirmwareKind } from '#scripts/rehearsal/machine-hardware.ts';
import { openRehearsalLab } from '#scripts/rehearsal/rehearsal-lab.ts';
import { somePassport } from '#test/support/some-passport.ts';

/** Beside the plant's own DHCP server, which gives every address and has never heard of us. */

const stateDirectory = path.join(import.meta.dirname, '../../.rekindle');
const mac = '52:54:00:77:00:01';

test.each<FirmwareKind>(['uefi', 'bios'])(
  '%s: addresses come from the other server, everything to boot from us',
  async (firmware) => {
    const evidence = await mkdtemp(path.join(tmpdir(), `proxy-${firmware}-`));
    await using lab = await openRehearsalLab({
      firmware,
      stateDirectory,
      evidence,
      onProgress: (sentence) => process.stdout.write(`${sentence}\n`),
      configuration: (address, interfaceName) => `interface: ${interfaceName}\naddress: ${address}\n`,
    });
    await using foreign = await startForeignDhcp(lab.network, evidence);
    const passport: HardwarePassport = {
      ...somePassport(),
      networkCards: [{ slot: '0000:00:03.0', id: '1af4:1000', subsystem: '1af4:0001', mac }],
      modaliases: [],
    };
    await writeFile(path.join(evidence, 'passport.json'), JSON.stringify(passport));
    const { hostname } = lab.station;
    await lab.site.rekindle('station', 'add', hostname, '--passport', path.join(evidence, 'passport.json'));

    await using machine = await lab.switchOn(
      'proxy',
      lab.hardwareWith(await lab.blankDisk('proxy')),
      'network',
    );
    await machine.console.waitFor(/has the address 10\.77\.0\.15\d\./, { timeoutSeconds: 240 });
    await machine.console.waitFor(/Technician: $/m, { timeoutSeconds: 60 });
    await machine.powerOff();
    process.stdout.write(
      `${firmware}: the log-on ${((performance.now() - machine.poweredOnAt) / 1000).toFixed(1)} s after power-on\n`,
    );

    expect(await readFile(foreign.leases, 'utf8')).toContain(mac);
    const log = (await readFile(path.join(evidence, 'service.log'), 'utf8')).split('\n');
    const replies = log
      .filter((line) => line.includes('"dhcp replied"'))
      .map((line) => JSON.parse(line) as { mac: string; port: number; address?: string; bootFile?: string });
    expect(replies.length).toBeGreaterThan(0);
    for (const reply of replies) {
      expect(reply.mac).toBe(mac);
      expect(reply.address).toBeUndefined();
    }
    if (firmware === 'uefi') expect(replies.map(({ port }) => port)).toContain(4011);
    await rm(evidence, { recursive: true });
  },
);
