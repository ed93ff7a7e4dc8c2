import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { RekindleError } from '#base/errors.ts';
import { offlineJoinFile, oneTimePasswordFile } from '#contract/domain-files.ts';
import type { HookResult } from '#contract/hook-result.ts';
import { openAnyController } from './any-controller.ts';
import type { DomainSettings } from './domain-settings.ts';
import { judgeRejoin } from './judge-rejoin.ts';
import { provisionOfflineJoin } from './offline-join.ts';
import { type ComputerAccount, predictTrust, type TrustPrediction } from './predict-trust.ts';
import { readComputerAccount, readRootDse } from './read-directory.ts';
import { readLastLogon } from './read-last-logon.ts';
import { setMachinePassword } from './set-machine-password.ts';

/** Look, repair, look again: the three things that are done in the domain for one member. */

export type TrustLook =
  | { readonly kind: 'unreachable'; readonly why: string }
  | {
      readonly kind: 'seen';
      readonly prediction: TrustPrediction;
      readonly account: ComputerAccount | undefined;
      readonly controller: string;
    };

export interface LookRequest {
  readonly computerName: string;
  readonly imageTakenAt: Date;
  readonly rotationDays: number;
}

/** Only reads. */
export async function lookAtTrust(settings: DomainSettings, request: LookRequest): Promise<TrustLook> {
  const any = await openAnyController(settings);
  if (any.kind === 'unreachable') return any;
  await using session = any.session;
  const root = await readRootDse(session);
  const account = await readComputerAccount(session, root, request.computerName);
  const prediction = predictTrust({
    ...request,
    domain: root.domain,
    memberOf: settings.domain,
    account,
    now: new Date(),
  });
  return { kind: 'seen', prediction, account, controller: root.controller };
}

/** What the station gets to be trusted again: worth something until it is used, and then nothing. */
export interface RejoinSecret {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface RejoinRequest {
  readonly station: string;
  readonly computerName: string;
  readonly method: 'offline-join' | 'reset-account';
  readonly signal?: AbortSignal;
}

/** Changes the password of the account: from now on only the holder of the secret is the station. */
export async function makeRejoinSecret(
  settings: DomainSettings,
  { station, computerName, method, signal }: RejoinRequest,
): Promise<RejoinSecret> {
  const any = await openAnyController(settings);
  if (any.kind === 'unreachable') {
    throw new RekindleError('store-unreachable', `Rejoining ${computerName}: no controller answers`, {
      cause: new Error(any.why),
      next: `When one does again: rekindle hook domain ${station} --rejoin FILE`,
    });
  }
  await using session = any.session;
  if (method === 'offline-join') {
    const bytes = await provisionOfflineJoin(settings, session.controller, computerName, signal);
    return { name: offlineJoinFile, bytes };
  }
  const root = await readRootDse(session);
  const account = await readComputerAccount(session, root, computerName);
  if (account === undefined) {
    throw new RekindleError('not-found', `Rejoining ${computerName}: ${root.domain} has no such account`);
  }
  const password = randomBytes(24).toString('base64url');
  await setMachinePassword(session, account, password);
  return { name: oneTimePasswordFile, bytes: Buffer.from(`${password}\n`) };
}

export interface TrustProof {
  readonly result: HookResult;
  readonly passwordLastSet?: Date | undefined;
  readonly lastLogon?: Date | undefined;
}

export interface ProofRequest {
  readonly computerName: string;
  readonly passwordBefore: Date | undefined;
  /** How long a missing logon is waited for. */
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

/** Asks the domain whether the station has come back: its word is not enough. */
export async function proveRejoin(settings: DomainSettings, request: ProofRequest): Promise<TrustProof> {
  const end = Date.now() + request.seconds * 1000;
  for (;;) {
    const proof = await askOnce(settings, request);
    if (proof.result.outcome !== 'unverified' || Date.now() > end || request.signal?.aborted === true) {
      return proof;
    }
    await sleep(1000);
  }
}

async function askOnce(
  settings: DomainSettings,
  { computerName, passwordBefore }: ProofRequest,
): Promise<TrustProof> {
  const any = await openAnyController(settings);
  if (any.kind === 'unreachable') {
    const sentence = `No controller of ${settings.domain} answers: ${any.why}.`;
    return { result: { outcome: 'unverified', sentence } };
  }
  await using session = any.session;
  const root = await readRootDse(session);
  const account = await readComputerAccount(session, root, computerName);
  const lastLogon =
    account === undefined
      ? undefined
      : await readLastLogon(settings, session, root, account.distinguishedName);
  return {
    result: judgeRejoin({ computerName, passwordBefore, account, lastLogon }),
    passwordLastSet: account?.passwordLastSet,
    lastLogon,
  };
}
