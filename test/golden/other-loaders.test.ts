import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import type { ChosenBoot } from '#pxe-server/boot/chosen-boot.ts';
import { formatGrubConfig, grubConfigPath, grubStart } from '#pxe-server/boot/grub-config.ts';
import type { OfferedSystem } from '#pxe-server/boot/other-systems.ts';
import { formatPxelinuxConfig, pxelinuxConfigPath } from '#pxe-server/boot/pxelinux-config.ts';

/** What signed GRUB and PXELINUX get for the decisions that iPXE gets as scripts. */

const runtime = {
  kind: 'runtime',
  title: 'recovery of OS-SRV-1A',
  pack: 'OS-SRV-1A',
  commandLine: ['rekindle.server=https://10.77.0.1:8443', 'quiet'],
} as const;
const rescue: OfferedSystem = {
  name: 'rescue',
  title: "Plant's rescue system",
  files: new Map(),
  system: (url) => ({
    kind: 'linux',
    kernelUrl: url('rescue/vmlinuz'),
    initrdUrls: [url('rescue/initrd')],
    commandLine: ['console=tty0', "who=it's"],
  }),
};
const iso: OfferedSystem = {
  name: 'tools',
  title: 'Vendor tools',
  files: new Map(),
  system: (url) => ({ kind: 'iso', url: url('tools/tools.iso') }),
};
const menu: ChosenBoot = {
  kind: 'menu',
  station: 'OS-SRV-1A',
  recovery: runtime,
  others: [rescue, iso],
  withoutKey: 'local-disk',
  seconds: 10,
};
const refusal: ChosenBoot = { kind: 'refusal', reason: 'there is no driver pack for OS-SRV-1A' };

/** GRUB's own parser says whether it is a script. */
function checkedByGrub(text: string): string {
  execFileSync('grub-script-check', { input: text });
  return text;
}

test('GRUB: the menu starts the own disk unless somebody presses a key; what needs iPXE is not in it', () => {
  expect(checkedByGrub(formatGrubConfig(menu))).toBe(`set timeout=10
set default=local-disk
menuentry 'R  Recovery of OS-SRV-1A' --id recovery --hotkey=r {
  while true; do
    echo 'Rekindle: recovery of OS-SRV-1A'
    if linux /boot/vmlinuz 'rekindle.server=https://10.77.0.1:8443' 'quiet'; then
      echo "Rekindle: loading the recovery runtime ..."
      if initrd /boot/runtime.img /boot/packs/OS-SRV-1A.img; then boot; fi
    fi
    echo "Rekindle: this did not start. The reason is in the lines above."
    echo "Esc starts the local disk; trying again in 15 s ..."
    if sleep --interruptible 15; then true; else local_disk; fi
  done
}
menuentry 'L  Start from the local disk' --id local-disk --hotkey=l {
  local_disk
}
menuentry '1  Plant'\\''s rescue system' --id rescue --hotkey=1 {
  echo 'Rekindle: Plant'\\''s rescue system'
  if linux /boot/other/rescue/vmlinuz 'console=tty0' 'who=it'\\''s'; then
    if initrd /boot/other/rescue/initrd; then true; fi
    boot
  fi
}
`);
});

test('GRUB: an armed station starts the runtime at once, a refused one its disk', () => {
  expect(checkedByGrub(formatGrubConfig(runtime))).toMatch(
    /^while true; do\n {2}echo 'Rekindle: recovery of/,
  );
  expect(checkedByGrub(formatGrubConfig(refusal))).toBe(
    "echo 'Rekindle: there is no driver pack for OS-SRV-1A'\nsleep 10\nlocal_disk\n",
  );
  expect(checkedByGrub(formatGrubConfig({ kind: 'local-disk' }))).toBe('local_disk\n');
  expect(grubConfigPath('52:54:00:00:00:01')).toBe('grub/52:54:00:00:00:01.cfg');
  expect(checkedByGrub(grubStart)).toContain('source $prefix/$net_default_mac.cfg');
});

test('PXELINUX: the same menu, large files by HTTP or by TFTP', () => {
  expect(formatPxelinuxConfig(menu, 'http://10.77.0.1:8080')).toBe(`UI menu.c32
MENU IMMEDIATE
MENU TITLE Rekindle: OS-SRV-1A
TIMEOUT 100
ONTIMEOUT local-disk
LABEL recovery
MENU LABEL ^R  Recovery of OS-SRV-1A
LINUX http://10.77.0.1:8080/boot/vmlinuz
INITRD http://10.77.0.1:8080/boot/runtime.img,http://10.77.0.1:8080/boot/packs/OS-SRV-1A.img
APPEND rekindle.server=https://10.77.0.1:8443 quiet
LABEL local-disk
MENU LABEL ^L  Start from the local disk
MENU DEFAULT
COM32 chain.c32
APPEND hd0 0
LABEL rescue
MENU LABEL ^1  Plant's rescue system
LINUX http://10.77.0.1:8080/boot/other/rescue/vmlinuz
INITRD http://10.77.0.1:8080/boot/other/rescue/initrd
APPEND console=tty0 who=it's
`);
  expect(formatPxelinuxConfig(runtime, '::')).toContain('LINUX ::/boot/vmlinuz\n');
  expect(formatPxelinuxConfig(runtime, '::')).toMatch(/^DEFAULT runtime\nPROMPT 0\n/);
  expect(pxelinuxConfigPath('52:54:00:aa:00:01')).toBe('pxelinux.cfg/01-52-54-00-aa-00-01');
});

test('PXELINUX: without a driver pack there is no recovery to choose, and the reason is said', () => {
  const text = formatPxelinuxConfig({ ...menu, recovery: refusal as never, withoutKey: 'recovery' }, '::');
  expect(text).not.toContain('LABEL recovery');
  expect(text).toContain('ONTIMEOUT local-disk');
  expect(text).toContain('there is no driver pack for OS-SRV-1A');
});
