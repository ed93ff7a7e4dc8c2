import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { judgeEvent1587 } from '#pxe-server/domain/judge-event-1587.ts';
import { type EventRecord, parseEventLog } from '#pxe-server/domain/parse-event-log.ts';
import { type EventLogReading, whyUnread } from '#pxe-server/domain/read-event-log.ts';

/**
 * As Samba's rpcclient 4.17.12 printed it, of a log with three records: an event 1587 of another restore, an event
 * 1109, and two hours after the first an event 1587.
 */
const captured = readFileSync(
  path.join(import.meta.dirname, '..', 'support', 'captured-event-log.txt'),
  'utf8',
);
const newId = '96F9EEA1-8D5B-4E1B-BEB7-17651D635F9D';
const [newest, middle, oldest] = parseEventLog(captured) as [EventRecord, EventRecord, EventRecord];

test('A log is read newest first, the last record once', () => {
  expect(parseEventLog(captured).map(({ number, id }) => [number, id])).toEqual([
    [3, 1587],
    [2, 1109],
    [1, 1587],
  ]);
  expect(newest).toEqual({
    number: 3,
    generated: new Date('2026-11-28T04:33:36Z'),
    id: 1587,
    source: 'NTDS Replication',
    strings: [
      ...['5e804b9e-7db7-b853-4f78-527d08dbcc28', '11203'],
      ...['d07dcc90-d75b-4900-be7a-e55fa15622e2', '11305', '11305'],
      ...['96f9eea1-8d5b-4e1b-beb7-17651d635f9d', '11203', '11203'],
    ],
  });
  expect(middle.strings).toEqual([]);
});

test('Wherever the output is cut off, what came before is read and nothing is made up', () => {
  const whole = parseEventLog(captured);
  for (let end = 0; end <= captured.length; end += 37) {
    const records = parseEventLog(captured.slice(0, end));
    expect(records).toEqual(whole.slice(0, records.length));
  }
});

test('A string of several lines is one string', () => {
  const said = captured.replace("'11203'", "'a\n            Strings  : b\nc'");
  expect(parseEventLog(said)[0]?.strings.slice(0, 3)).toEqual([
    '5e804b9e-7db7-b853-4f78-527d08dbcc28',
    'a\n            Strings  : b\nc',
    'd07dcc90-d75b-4900-be7a-e55fa15622e2',
  ]);
  expect(parseEventLog(said)[0]?.strings).toHaveLength(8);
});

const read = (records: readonly EventRecord[], more: object = {}): EventLogReading => ({
  ...{ controller: 'dc2.lab.example', kind: 'read', records, whole: true, clockAheadMs: 0 },
  ...more,
});
const unread: EventLogReading = {
  ...{ controller: 'dc3.lab.example', kind: 'unread', why: 'it sleeps', next: 'Wake it.' },
};
const judge = (logs: readonly EventLogReading[], more: Partial<Parameters<typeof judgeEvent1587>[0]> = {}) =>
  judgeEvent1587({
    oldInvocationId: 'D07DCC90-D75B-4900-BE7A-E55FA15622E2',
    invocationIds: [newId],
    restoredAt: new Date('2026-11-28T04:00:00Z'),
    logs,
    ...more,
  });

test('An event that names the new invocationId proves it, whatever other logs say', () => {
  const proof = [
    ['proved', expect.stringMatching(/^Event 1587 in the log of dc2.*\(2026-11-28 04:33 UTC\) names/)],
  ];
  expect(judge([unread, read([newest, middle, oldest])])).toEqual(proof);
  const braced = {
    ...newest,
    strings: [`{${newId}}`],
    source: 'Microsoft-Windows-ActiveDirectory_DomainService',
  };
  expect(judge([read([braced])])).toEqual(proof);
  expect(judge([read([newest])], { invocationIds: [undefined, newId.toLowerCase()] })).toEqual(proof);
});

test.each<[string, EventLogReading[], Partial<Parameters<typeof judgeEvent1587>[0]>, RegExp]>([
  [
    'only an older one',
    [read([middle, oldest])],
    {},
    /no event 1587.*2 records; the last one is of 2026-11-28 02:33/,
  ],
  [
    'none at all, the log not read to its end',
    [read([middle], { whole: false })],
    {},
    /1 records, read back to/,
  ],
  [
    'one of another controller',
    [read([newest])],
    { invocationIds: [newId.replace('96', '97')] },
    /does not name/,
  ],
  ['the same words from another source', [read([{ ...newest, source: 'ADAM' }])], {}, /no event 1587/],
  ['another event with that name in it', [read([{ ...newest, id: 1109 }])], {}, /no event 1587/],
  ['a restore after it', [read([newest])], { restoredAt: new Date('2026-11-28T04:33:40Z') }, /before it/],
  ['a log that was not read', [unread], {}, /dc3.* was not read \(event 1587\): it sleeps\. Wake it\./],
  ['an invocationId that is still the image’s', [read([newest])], { oldInvocationId: newId }, /is not known/],
])('Unverified with %s', (_what, logs, more, why) => {
  const [finding, ...others] = judge(logs, more);
  expect(finding[0]).toBe('unverified');
  expect(finding[1]).toMatch(why);
  expect(others).toEqual([]);
});

test('The controller’s clock is taken for what it is', () => {
  const hour = 3_600_000;
  const restoredAt = new Date('2026-11-28T05:33:30Z');
  expect(judge([read([newest], { clockAheadMs: -hour })], { restoredAt })[0][0]).toBe('proved');
  expect(judge([read([newest], { clockAheadMs: hour })])[0][0]).toBe('unverified');
});

const settings = { domain: 'lab.example', credentials: { account: 'svc-rejoin', password: 'secret' } };

/** What rpcclient said to a Samba controller, to a closed port, to no such name. */
test.each<[string, number, RegExp, RegExp]>([
  ['result was NT_STATUS_ACCESS_DENIED\n', 1, /svc-rejoin.*may not read it/, /Event Log Readers/],
  [
    'Cannot connect to server.  Error was NT_STATUS_LOGON_FAILURE\n',
    1,
    /SMB refuses svc-rejoin/,
    /password file/,
  ],
  ['Cannot connect to server.  Error was NT_STATUS_CONNECTION_REFUSED\n', 1, /does not answer by SMB/, /445/],
  ['Cannot connect to server.  Error was NT_STATUS_HOST_UNREACHABLE\n', 1, /does not answer by SMB/, /445/],
  ['', 124, /nothing within 40 s/, /445/],
  ['result was NT_STATUS_OBJECT_PATH_INVALID\n', 1, /no log of that name/, /Windows/],
  // A record in a form that Samba does not know.
  ['result was NT_STATUS_BUFFER_TOO_SMALL\n', 1, /says: .*BUFFER_TOO_SMALL/, /on the controller itself/],
  ['command not found: eventlog_readlog\n', 1, /command not found/, /on the controller itself/],
  ['', 0, /is empty/, /on the controller itself/],
])('%j is said in words', (said, status, why, next) => {
  expect(whyUnread(said, status, settings)).toEqual({
    why: expect.stringMatching(why),
    next: expect.stringMatching(next),
  });
});
