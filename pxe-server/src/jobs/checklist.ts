import type { SettledItem } from '#contract/hook-result.ts';
import type { ChecklistItem } from '#contract/run-report.ts';
import type { StationRole } from '../stations/station.ts';

interface Obligation {
  readonly id: string;
  readonly what: string;
  readonly roles: readonly StationRole[];
}

const everyRole = ['server', 'client', 'engineering-station', 'domain-controller'] as const;

/**
 * What no program does after an image was restored, or may not be able to see, in the order in which it is done.
 * Siemens FAQ 56897157, sections 5.2 and 5.3; MSXFAQ "Imagebackup als Sicherung" for domain controllers.
 */
const obligations: readonly Obligation[] = [
  {
    id: 'updates',
    what: 'Run again the Windows updates that came after the image.',
    roles: everyRole,
  },
  {
    id: 'virus-signatures',
    what: 'Bring the virus signatures up to date.',
    roles: everyRole,
  },
  {
    id: 'restore-project',
    what: 'Bring back the (multi)project from its SIMATIC Manager archive where the data volume did not survive, and compare it with the last compiled state.',
    roles: ['engineering-station'],
  },
  {
    id: 'delete-project',
    what: 'Redundant OS: delete the project on this OS before it is downloaded. Not redundant: tick with that note.',
    roles: ['server'],
  },
  {
    id: 'download',
    what: 'Download the project data from the ES: what is on this station may be older than the project.',
    roles: ['server', 'client'],
  },
  {
    id: 'synchronise',
    what: 'Redundant OS: start it and wait until it has synchronised its archives with its partner. Not redundant: tick with that note.',
    roles: ['server'],
  },
  {
    id: 'quarantine',
    what: 'See in the report that the domain controller let itself onto the network (quarantine: lifted). No report half an hour after its start, or quarantine by hand: look for event 1109 in its Directory Service log; with it, and without event 2095, run lift-quarantine.cmd as administrator and restart, or plug the cables in. The only controller of its forest: tick with that note.',
    roles: ['domain-controller'],
  },
  {
    id: 'sysvol',
    what: 'See in the report that SYSVOL has come from a partner. Where it says failed or pending, with DFSR: KB 2218556 by hand (msDFSR-Enabled FALSE, dfsrdiag pollad, event 4114; TRUE, pollad, events 4614 and 4604). From a system state backup: event 4604 or 13516. The only controller of its forest: tick with that note.',
    roles: ['domain-controller'],
  },
  {
    id: 'event-1587',
    what: 'See event 1587 (NTDS Replication) with the new InvocationID in the Directory Service log of the other domain controllers, or of this one. The service ticks it where it could read it there. The only controller of its forest: tick with that note.',
    roles: ['domain-controller'],
  },
  {
    id: 'replication',
    what: 'See that changes replicate both ways. The service ticks it when its test objects arrived. The only controller of its forest: tick with that note.',
    roles: ['domain-controller'],
  },
];

export function checklistFor(role: StationRole): ChecklistItem[] {
  return obligations
    .filter(({ roles }) => roles.includes(role))
    .map(({ id, what }) => ({ id, what, ticked: null }));
}

/**
 * What the service has seen itself; a tick of a person stays as he gave it. Not in a report of an earlier version that
 * means more by an item of this name.
 */
export function tickSettled(
  checklist: readonly ChecklistItem[],
  settled: readonly SettledItem[],
  at: Date,
): ChecklistItem[] {
  return checklist.map((item) => {
    const seen = settled.find(({ item: id }) => id === item.id);
    const isOfToday = obligations.some(({ id, what }) => id === item.id && what === item.what);
    return seen === undefined || item.ticked !== null || !isOfToday
      ? item
      : { ...item, ticked: { at: at.toISOString(), by: 'the service', note: seen.note } };
  });
}
