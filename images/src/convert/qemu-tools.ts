import type { Tool } from '#base/run-tool.ts';

export const qemuImg: Tool = { command: 'qemu-img', debianPackage: 'qemu-utils' };
export const qemuNbd: Tool = { command: 'qemu-nbd', debianPackage: 'qemu-utils' };
