import fs from 'node:fs';
import path from 'node:path';
import { ownReportEvidence } from '#contract/domain-files.ts';
import { parseOwnReport } from '#pxe-server/domain/gather-controller-proof.ts';
import { readStepAnswer } from '#pxe-server/hooks/step-answer.ts';
import { projectRoot } from '#scripts/runtime/bundle.ts';
import { bundleForScriptHost } from '#scripts/runtime/first-boot-files.ts';

const agent = path.join(projectRoot, 'recovery-runtime/src/first-boot/windows/agent');

/**
 * The first-boot program of a controller with a stand-in for its directory: Wine has no ADSI with a directory behind it.
 * The subscription is the file `directory.txt`; while `directory-away` is there, the directory answers nothing. All
 * else is the program that is staged.
 */
const standIn = `
import { controllerStep } from '${agent}/controller/step.ts';
import { append, has, read, write } from '${agent}/station.ts';
var outcome = controllerStep({
  isEnabled: function () { return read('directory.txt') === 'TRUE'; },
  setEnabled: function (enabled) {
    if (has('directory-away')) throw new Error('the directory does not answer');
    var value = enabled ? 'TRUE' : 'FALSE';
    write('directory.txt', value);
    append('called.txt', 'msDFSR-Enabled ' + value + '\\r\\n');
  },
});
if (outcome.answer !== '') WScript.Echo(outcome.answer);
WScript.Quit(outcome.code);
`;

export const controllerProgramWithStandIn = (folder: string): Promise<string> => bundleEntry(folder, standIn);

/** What the parts of the program that touch neither files nor registry do; \`parts` is theirs afterwards. */
export const controllerParts = (folder: string): Promise<string> =>
  bundleEntry(
    folder,
    `
import { openSubscription } from '${agent}/controller/directory.ts';
import { parseEvent } from '${agent}/controller/event-log.ts';
parts = { openSubscription: openSubscription, parseEvent: parseEvent };
`,
  );

function bundleEntry(folder: string, source: string): Promise<string> {
  const entry = path.join(folder, 'entry.js');
  fs.writeFileSync(entry, source);
  return bundleForScriptHost(entry);
}

/** A wevtutil whose newest event of a number is the file `log-<number>.xml`; the query names the number in brackets. */
export const eventLogStandIn = [
  '@echo off',
  'set "query=%~3"',
  'for /f "tokens=2 delims==)" %%n in ("%query%") do if exist log-%%n.xml type log-%%n.xml',
];

/** As wevtutil prints it: the provider has a GUID of its own, and the clock stood still. */
export function formatEvent(number: number, record: number, data: readonly (string | undefined)[]): string {
  const provider = `<Provider Name='P' Guid='{0e8478c5-3605-4e8c-8497-1e730c959516}'/>`;
  const time = `<TimeCreated SystemTime='2009-01-01T00:00:00.000Z'/>`;
  const head = `${provider}<EventID>${number}</EventID>${time}<EventRecordID>${record}</EventRecordID>`;
  const values = data.map((each) => `<Data>${each}</Data>`).join('');
  return `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>${head}</System><EventData>${values}</EventData></Event>`;
}

/** What the service makes of what the step printed. */
export function answerOf(stdout: string) {
  const output = stdout.replaceAll('\r', '');
  const { result, evidence } = readStepAnswer({
    hook: 'state',
    result: { outcome: 'done', sentence: 'It ended with exit code 0.' },
    evidence: [{ name: 'output', value: output }],
    startedAt: '2026-11-27T20:00:00Z',
    seconds: 1,
  });
  return {
    result,
    own: parseOwnReport([...evidence, { name: ownReportEvidence.restoreCountBefore, value: '2' }]),
    journal: evidence.find(({ name }) => name === 'journal')?.value ?? '',
  };
}
