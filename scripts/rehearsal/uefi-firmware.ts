import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import type { MachineFirmware } from './machine-hardware.ts';

/** Debian's OVMF; the variables file is the state in which a machine leaves the factory. */
const builds = {
  plain: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', factoryVariables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  /** Microsoft's keys are enrolled and Secure Boot is on. */
  secureBoot: {
    code: '/usr/share/OVMF/OVMF_CODE_4M.ms.fd',
    factoryVariables: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd',
  },
} as const;

/** UEFI firmware with the variables of `variableStore`; a store that is missing begins in factory state. */
export async function openUefiFirmware(
  variableStore: string,
  build: keyof typeof builds = 'plain',
): Promise<MachineFirmware> {
  const { code, factoryVariables } = builds[build];
  if (!existsSync(code) || !existsSync(factoryVariables)) {
    throw new RekindleError('usage', `the UEFI firmware ${code} is not installed`, {
      next: 'Install the Debian package ovmf.',
    });
  }
  if (!existsSync(variableStore)) await copyFile(factoryVariables, variableStore);
  return { kind: 'uefi', code, variableStore, secureBoot: build === 'secureBoot' };
}
