import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatOtherSystemScript } from '#pxe-server/boot/boot-choice.ts';
import { formatBootMenu } from '#pxe-server/boot/boot-menu.ts';
import { findOtherFile, menuItems, offeredSystems } from '#pxe-server/boot/other-systems.ts';
import { parseConfiguration } from '#pxe-server/config/parse-configuration.ts';

const folder = mkdtempSync(join(tmpdir(), 'rekindle-memtest-'));
mkdirSync(folder, { recursive: true });
for (const name of ['memtest86+x64.bin', 'memtest86+x64.efi']) writeFileSync(join(folder, name), '');

const parsed = parseConfiguration(`
interface: eth1
boot:
  systems:
    - { name: rescue, title: Rescue system, kind: linux, kernel: rescue/vmlinuz, initrds: [rescue/initrd], commandLine: "console=tty0  quiet" }
    - { name: tools, title: Vendor tools, kind: iso, file: tools.iso }
    - { name: winpe, title: Windows PE, kind: winpe, wimboot: wimboot, bootSdi: boot.sdi, bootWim: sources/boot.wim, bcd: BCD }
`);
const others =
  'configuration' in parsed ? offeredSystems(parsed.configuration, '/site/boot', { memtest: folder }) : [];
const url = (path: string) => `http://10.77.0.1:8080/boot/other/${path}`;
const scriptOf = (name: string) => {
  const found = others.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${name} is not offered`);
  return formatOtherSystemScript(found.title, found.system(url));
};

test('the menu of a station: its own disk unless somebody presses a key', () => {
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const scriptUrl = 'http://10.77.0.1:8080/boot/script.ipxe?mac=52:54:00:00:00:01';
  const menu = { title: 'OS-SRV-1A', withoutKey: 'local-disk', seconds: 10, scriptUrl };
  expect(formatBootMenu({ ...menu, items: menuItems(others, 'OS-SRV-1A') })).toBe(`#!ipxe
menu Rekindle: OS-SRV-1A
item --key r recovery R  Recovery of OS-SRV-1A
item --key l local-disk L  Start from the local disk
item --key m memory-test M  Memory test (memtest86+)
item --key 1 rescue 1  Rescue system
item --key 2 tools 2  Vendor tools
item --key 3 winpe 3  Windows PE
item
item --gap Without a key in 10 s: Start from the local disk
choose --default local-disk --timeout 10000 choice || goto local_disk
chain --replace http://10.77.0.1:8080/boot/script.ipxe?mac=52:54:00:00:00:01&choice=\${choice} || goto local_disk
:local_disk
iseq \${platform} efi && exit 1 ||
echo Rekindle: starting from the local disk
sanboot --no-describe --drive 0x80 || exit 1
`);
});

test('a kernel with its initrds and words', () => {
  expect(scriptOf('rescue').split('\n').slice(2, 6)).toEqual([
    'imgfree',
    'kernel --name vmlinuz http://10.77.0.1:8080/boot/other/rescue/rescue/vmlinuz initrd=initrd0 console=tty0 quiet || goto failed',
    'initrd --name initrd0 http://10.77.0.1:8080/boot/other/rescue/rescue/initrd || goto failed',
    'boot || goto failed',
  ]);
});

test('an ISO, the memory test, Windows PE', () => {
  expect(scriptOf('tools')).toContain(
    '\nsanboot http://10.77.0.1:8080/boot/other/tools/tools.iso || goto failed\n',
  );
  expect(scriptOf('memory-test')).toContain('memtest86+x64.efi');
  expect(scriptOf('winpe')).toContain(
    '\ninitrd --name boot.wim http://10.77.0.1:8080/boot/other/winpe/sources/boot.wim boot.wim || goto failed\n',
  );
});

test('a path that leaves the folder is an error of the configuration', () => {
  const text =
    'interface: eth1\nboot:\n  systems:\n    - { name: x, title: X, kind: iso, file: ../../etc/shadow }\n';
  expect(parseConfiguration(text)).toMatchObject({ errors: [{ line: 4 }] });
});

test('a station whose Windows PE has its own drivers gets that file, the others the common one', () => {
  const site = mkdtempSync(join(tmpdir(), 'rekindle-winpe-'));
  onTestFinished(() => rmSync(site, { recursive: true }));
  mkdirSync(join(site, 'sources'));
  writeFileSync(join(site, 'sources/boot-OS-SRV-1A.wim'), '');
  const { configuration } = parsed as Extract<typeof parsed, { configuration: unknown }>;
  const wimOf = (station?: string) => {
    const offered = offeredSystems(configuration, site, station === undefined ? {} : { station });
    const system = offered.find(({ name }) => name === 'winpe')?.system(url);
    return system?.kind === 'winpe' ? system.files['boot.wim'] : undefined;
  };
  const [own, common] = ['winpe/sources/boot-OS-SRV-1A.wim', 'winpe/sources/boot.wim'];
  expect([wimOf('OS-SRV-1A'), wimOf('OS-SRV-1B'), wimOf()]).toEqual([url(own), url(common), url(common)]);
  const fileOf = (wanted: string) => findOtherFile(configuration, site, wanted)?.file;
  expect(fileOf(own)).toBe(join(site, 'sources/boot-OS-SRV-1A.wim'));
  expect(fileOf(common)).toBe(join(site, 'sources/boot.wim'));
  for (const wrong of [
    'winpe/sources/boot-../../x.wim',
    'winpe/sources/boot-.wim',
    'winpe/sources/boot-A.iso',
    'tools/tools-A.iso',
  ])
    expect(fileOf(wrong)).toBeUndefined();
});
