import path from 'node:path';
import { callTool } from '#base/run-tool.ts';
import type { Evidence } from '#contract/hook-result.ts';
import type { LabDomain } from '#scripts/rehearsal/domain/lab-domain.ts';

/** Asks the server's part of the domain hooks (domain-probe.ts) inside of the lab's network. */
export interface DomainQuestion {
  readonly ask:
    | 'preflight'
    | 'provide'
    | 'confirm'
    | 'mark'
    | 'test-object'
    | 'controller-preflight'
    | 'controller-confirm'
    | 'event-log';
  readonly computerName: string;
  readonly capturedAt?: Date;
  /** Of preflight. */
  readonly evidence?: readonly Evidence[];
  /** Changes of the hook `domain-rejoin`. */
  readonly hook?: Record<string, unknown>;
  readonly directory?: Record<string, unknown>;
  readonly from?: string;
  readonly to?: string;
  readonly container?: string;
  readonly seconds?: number;
  readonly mark?: unknown;
  readonly systemState?: unknown;
  /** Folder of the image store, and who signs in it. */
  readonly store?: string;
  readonly publicKey?: string;
  /** Of controller-confirm: when its restore was begun. */
  readonly restoredAt?: Date;
}

const probe = path.join(import.meta.dirname, 'domain-probe.ts');

export async function askDomain(lab: LabDomain, question: DomainQuestion): Promise<Record<string, unknown>> {
  const { hook = {}, directory = {}, capturedAt = new Date(), ...rest } = question;
  const input = JSON.stringify({
    ...rest,
    capturedAt: capturedAt.toISOString(),
    siteFolder: '/',
    hook: { id: 'domain', kind: 'domain-rejoin', directory: { ...lab.directory, ...directory }, ...hook },
  });
  const [program, ...args] = lab.network.inside([process.execPath, probe]);
  const { stdout, stderr } = await callTool(
    'asking the domain',
    { command: program, debianPackage: 'iproute2' },
    args,
    { input: Buffer.from(input) },
  );
  const said = stdout.toString();
  if (said === '') throw new Error(`the probe said nothing: ${stderr}`);
  return JSON.parse(said) as Record<string, unknown>;
}
