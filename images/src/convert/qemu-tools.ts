import type { Tool } from '#base/run-tool.ts';

export const qemuImg: Tool = { command: 'qemu-img', debianPackage: 'qemu-utils' };
/** libvhdi's: reads VHDX with sectors of 4096 bytes, which QEMU does not. */
export const vhdimount: Tool = { command: 'vhdimount', debianPackage: 'libvhdi-utils' };
export const qemuNbd: Tool = { command: 'qemu-nbd', debianPackage: 'qemu-utils' };
