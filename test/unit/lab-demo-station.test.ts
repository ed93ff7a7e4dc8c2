import { expect, test } from 'vitest';
import { logOnMarker } from '#scripts/rehearsal/build-demo-station.ts';
import {
  diskBytes,
  planDemoPartitions,
  planSgdiskArguments,
} from '#scripts/rehearsal/demo-station/partition-layout.ts';
import { ownerOfNamespace } from '#scripts/rehearsal/lab-network.ts';

const MiB = 1024 * 1024;

test('the partitions follow each other without a gap and leave the last MiB to the second table', () => {
  const partitions = Object.values(planDemoPartitions());
  let next = MiB;
  for (const partition of partitions) {
    expect(partition.firstByte).toBe(next);
    next += partition.byteLength;
  }
  expect(next).toBe(diskBytes - MiB);
});

test('sgdisk gets the layout in sectors', () => {
  expect(planSgdiskArguments('/state/disk.raw')).toEqual([
    '--clear',
    '--disk-guid=52454b49-4e44-4c45-8000-000000000000',
    ...['--new=1:2048:4095', '--typecode=1:ef02', '--change-name=1:BIOSBOOT'],
    '--partition-guid=1:52454b49-4e44-4c45-8000-000000000001',
    ...['--new=2:4096:135167', '--typecode=2:ef00', '--change-name=2:ESP'],
    '--partition-guid=2:52454b49-4e44-4c45-8000-000000000002',
    ...['--new=3:135168:1445887', '--typecode=3:8300', '--change-name=3:SYSTEM'],
    '--partition-guid=3:52454b49-4e44-4c45-8000-000000000003',
    ...['--new=4:1445888:2095103', '--typecode=4:0700', '--change-name=4:PROJECTS'],
    '--partition-guid=4:52454b49-4e44-4c45-8000-000000000004',
    '/state/disk.raw',
  ]);
});

test('the log-on marker is a whole line of this station', () => {
  const marker = logOnMarker('OS-SRV-1A');
  expect(marker.exec('login:\nREKINDLE-DEMO-STATION name=OS-SRV-1A boots=12 ready\n')?.[1]).toBe('12');
  expect(marker.exec('OS-SRV-1A login: REKINDLE-DEMO-STATION name=OS-SRV-1A boots=3 ready\n')?.[1]).toBe('3');
  expect(marker.test('REKINDLE-DEMO-STATION name=OS-SRV-1B boots=12 ready\n')).toBe(false);
  expect(marker.test('echo REKINDLE-DEMO-STATION name=OS-SRV-1A boots=12 ready\n')).toBe(false);
});

test('only namespaces of a lab have an owner: nobody else is cleaned away', () => {
  expect(ownerOfNamespace('rekindle-lab-4711-2')).toBe(4711);
  expect(ownerOfNamespace('rekindle-lab-4711')).toBeUndefined();
  expect(ownerOfNamespace('my-rekindle-lab-4711-2')).toBeUndefined();
  expect(ownerOfNamespace('plant')).toBeUndefined();
});
