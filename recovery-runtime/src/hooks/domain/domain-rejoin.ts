import { offlineJoinFile, oneTimePasswordFile, trustEvidence } from '#contract/domain-files.ts';
import type { OfflineContext, OfflineHook } from '../offline-hook.ts';
import {
  linuxRejoinFile,
  linuxRejoinScript,
  windowsRejoinFile,
  windowsRejoinScript,
} from './rejoin-script.ts';

type Context = OfflineContext<'domain-rejoin'>;

const secretNames: readonly string[] = [offlineJoinFile, oneTimePasswordFile];

/** Hands the server's secret on to the first boot, and what to do with it. */
export const domainRejoin: OfflineHook<'domain-rejoin'> = {
  kind: 'domain-rejoin',
  offline: {
    precondition: async ({ hook, files, system, earlier }) => {
      if (hook.method === 'technician') {
        return {
          kind: 'skip',
          reason: 'A technician rejoins the station when it is up: rekindle hook domain STATION --rejoin.',
        };
      }
      if (secretsOf(files).length === 0) {
        const trust = earlier
          .filter((record) => record.hook === hook.id)
          .flatMap(({ evidence }) => evidence)
          .find(({ name }) => name === trustEvidence)?.value;
        return trust === 'intact'
          ? { kind: 'skip', reason: 'The machine password of the image is still that of the domain.' }
          : { kind: 'refuse', sentence: 'The server made nothing to rejoin the domain with.' };
      }
      if (system.kind === 'unknown') {
        return { kind: 'refuse', sentence: `The restored system could not be opened: ${system.reason}.` };
      }
      if (system.kind === 'windows' && hook.method === 'reset-account') {
        return {
          kind: 'refuse',
          sentence: 'Windows takes no machine password from outside.',
          next: 'Set method: offline-join in the hook plan of this station, then rekindle hook domain STATION --rejoin.',
        };
      }
      return { kind: 'ready' };
    },
    plan: async ({ hook, files }) => ({
      planned: undefined,
      lines: secretsOf(files).map(({ name }) => ({
        kind: 'change' as const,
        sentence: `${name} is put beside the first-boot agent; it rejoins ${hook.directory.domain} with it once.`,
      })),
    }),
    apply: async (context) => stage(context),
    verify: async ({ hook }) => ({
      result: {
        outcome: 'staged',
        sentence: `The station rejoins ${hook.directory.domain} at its first boot.`,
      },
      evidence: [],
    }),
  },
};

const secretsOf = (files: Context['files']): Context['files'] =>
  files.filter(({ name }) => secretNames.includes(name));

function stage({ hook, files, system, stage: firstBoot }: Context): void {
  const secrets = secretsOf(files);
  for (const { name, content } of secrets) {
    firstBoot.addFile({ name, bytes: Buffer.from(content, 'base64') });
  }
  const secretFiles = secrets.map(({ name }) => name);
  if (system.kind === 'windows') {
    firstBoot.addFile({ name: windowsRejoinFile, bytes: Buffer.from(windowsRejoinScript) });
    firstBoot.addStep({ command: `${windowsRejoinFile} ${hook.directory.domain}`, secretFiles });
  } else {
    firstBoot.addFile({ name: linuxRejoinFile, bytes: Buffer.from(linuxRejoinScript), executable: true });
    firstBoot.addStep({ command: `sh ./${linuxRejoinFile}`, secretFiles });
  }
}
