import { defineConfig } from 'vitest/config';

/** One project a folder under test/: what it needs from the machine differs, and so do its time limits. */
const project = (name: string, timeoutSeconds: number, alone = false) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: timeoutSeconds * 1000,
    hookTimeout: timeoutSeconds * 1000,
    fileParallelism: !alone,
    // Groups run one after the other: an emulated machine beside other tests is slow enough to be late.
    sequence: { groupOrder: alone ? 1 : 0 },
  },
});

export default defineConfig({
  test: {
    // Loop devices, network namespaces and write locks belong to the whole machine: one file at a time.
    maxWorkers: 1,
    projects: [
      project('unit', 10),
      project('golden', 10),
      project('suites', 60),
      project('wire', 60),
      // One emulated machine at a time: two cores do not hold two of them.
      project('rehearsal', 900, true),
    ],
  },
});
