import { has, write } from '../station.ts';
import { jsonText } from '../texts.ts';
import type { SysvolSubscription } from './directory.ts';
import { heldServices, isReleased, leaveLiftScript, release, removeTraces } from './held-services.ts';
import { type Invocation, lookAtInvocation, noteInvocation } from './invocation.ts';
import { journal, mayLookAgain, note, setting } from './memory.ts';
import { fetchByDfsr, fetchByFrs, rememberFrs, type Sysvol, switchOff } from './sysvol.ts';

/**
 * A restored controller proves to itself that its directory was renewed, is let onto the network then, and takes
 * SYSVOL from a partner. One try; every try goes on where the last one stopped, after a power cut too.
 */

/** The contract's exit codes (pxe-server/src/contract/first-boot.ts). */
var answered = 0;
var restartRetry = 249;
var retry = 250;
/** Every 15 s, ten minutes. */
var looksForProof = 40;
/** Of what is held: more than one only when what was written is not there after a restart. */
var releases = 3;

export interface Outcome {
  readonly code: number;
  /** The answer of the contract, with code 0. */
  readonly answer: string;
}

export function controllerStep(subscription: SysvolSubscription): Outcome {
  var replicatedBy = setting('sysvol');
  var holdsNetwork = heldServices('network').length > 0;
  if (holdsNetwork || heldServices('sysvol').length > 0) leaveLiftScript();
  if (replicatedBy === 'FRS') rememberFrs();
  var invocation = lookAtInvocation();
  if (!has('proof-over')) {
    // Windows closes the directory itself when it finds a rollback: nothing is waited for then.
    var whole = invocation.renewed && invocation.event1109;
    if (!whole && !invocation.notWritable && mayLookAgain('looks', looksForProof)) return again(retry);
    noteInvocation(invocation);
    write('proof-over', '.');
  }
  if (!invocation.renewed) {
    if (holdsNetwork && !isReleased('network'))
      note('it stays off the network: nothing shows that its directory was renewed');
    return answer(invocation, replicatedBy === '' ? 'not-asked' : 'failed');
  }
  // The network first: a directory that does not answer must not keep a controller away that has proved itself.
  if (!isReleased('network') && mayLookAgain('releases-network', releases + 1)) {
    release('network');
    if (holdsNetwork) return again(restartRetry);
  }
  var off = replicatedBy === 'DFSR' ? switchOff(subscription) : true;
  if (off === false) return again(retry);
  if (off === true && !isReleased('sysvol') && mayLookAgain('releases-sysvol', releases + 1)) {
    release('sysvol');
    if (heldServices('sysvol').length > 0) return again(restartRetry);
  }
  var sysvol = off === 'given-up' ? 'failed' : fetch(subscription, replicatedBy);
  if (sysvol === undefined) return again(retry);
  if (isReleased('network') && isReleased('sysvol')) removeTraces();
  return answer(invocation, sysvol);
}

function fetch(subscription: SysvolSubscription, replicatedBy: string): Sysvol | undefined {
  if (replicatedBy === 'DFSR') return fetchByDfsr(subscription);
  return replicatedBy === 'FRS' ? fetchByFrs() : 'not-asked';
}

function again(code: number): Outcome {
  return { code: code, answer: '' };
}

/** Names of the evidence: pxe-server/src/contract/domain-files.ts. */
function answer(invocation: Invocation, sysvol: Sysvol): Outcome {
  var truth = (is: boolean): string => (is ? 'yes' : 'no');
  var network = heldServices('network').length === 0 ? 'not held' : isReleased('network') ? 'lifted' : 'kept';
  var evidence = [
    ['event 1109', truth(invocation.event1109)],
    ['event 2095', truth(invocation.event2095)],
    ['Dsa Not Writable', truth(invocation.notWritable)],
    ['DSA Previous Restore Count', String(invocation.restoreCount)],
    ['invocationId before', invocation.oldId],
    ['invocationId now', invocation.newId],
    ['event 1109 at', invocation.at],
    ['quarantine', network],
    ['SYSVOL', sysvol],
    ['journal', journal()],
  ];
  var parts: string[] = [];
  for (var at = 0; at < evidence.length; at += 1) {
    var name = evidence[at]?.[0] || '';
    var value = evidence[at]?.[1] || '';
    if (value !== '') parts.push(`{"name":"${name}","value":"${jsonText(value)}"}`);
  }
  var sentence = 'The controller has looked at itself; the service asks its partners.';
  return {
    code: answered,
    answer: `{"result":{"outcome":"unverified","sentence":"${sentence}"},"evidence":[${parts.join(',')}]}`,
  };
}
