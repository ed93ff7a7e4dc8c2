import { defineConfig } from 'vitest/config';

/** One project a folder under test/: what it needs from the machine differs, and so do its time limits. */
const project = (name: string, timeoutSeconds: number, { maxWorkers = 1, groupOrder = 0 } = {}) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: timeoutSeconds * 1000,
    maxWorkers,
    // Groups run one after the other: an emulated machine beside other tests is slow enough to be late.
    sequence: { groupOrder },
  },
});

export default defineConfig({
  test: {
    projects: [
      // Loop devices and write locks belong to the whole machine: one file at a time.
      project('unit', 10),
      project('golden', 10),
      project('suites', 60),
      project('wire', 60),
      // An emulated machine keeps one core busy and waits a lot; a restore in one locks none of this computer's disks.
      project('rehearsal', 900, { maxWorkers: 2, groupOrder: 1 }),
    ],
  },
});
