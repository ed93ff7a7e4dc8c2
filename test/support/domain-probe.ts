import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { formatError } from '#base/errors.ts';
import { domainControllerSchema, systemStateSchema } from '#contract/hook-kinds/domain-controller.ts';
import { domainRejoinSchema } from '#contract/hook-kinds/domain-rejoin.ts';
import { evidenceSchema, type HookRecord } from '#contract/hook-result.ts';
import {
  domainControllerMarkSchema,
  imageManifestSchema,
  stationNameSchema,
  type Volume,
} from '#images/format/image-manifest.ts';
import { formatPublicKey, generateKeyPair, parsePublicKey } from '#images/format/minisign.ts';
import { readDomainSettings } from '#pxe-server/domain/domain-settings.ts';
import { readControllerMark } from '#pxe-server/domain/read-controllers.ts';
import { readDirectoryServiceLog } from '#pxe-server/domain/read-event-log.ts';
import { replicateTestObject } from '#pxe-server/domain/replicate-test-object.ts';
import { domainControllerHook } from '#pxe-server/hooks/domain-controller.ts';
import { domainRejoinHook } from '#pxe-server/hooks/domain-rejoin.ts';
import { smallImage } from './small-image.ts';
import { somePassport } from './some-passport.ts';

/**
 * The server's part of the domain hooks, as a process of its own inside of a lab's network. A question as JSON on
 * standard input, an answer as JSON on standard output; a failure is its sentences.
 */
const questionSchema = z.object({
  ask: z.enum([
    'preflight',
    'provide',
    'confirm',
    'mark',
    'test-object',
    'controller-preflight',
    'controller-confirm',
    'event-log',
  ]),
  hook: z.json(),
  computerName: z.string(),
  capturedAt: z.string(),
  siteFolder: z.string(),
  /** Of the image's manifest. */
  mark: domainControllerMarkSchema.optional(),
  systemState: systemStateSchema.default({
    from: 'restored-from-backup-value',
    accepted: 'not supported by Microsoft',
  }),
  /** Folder of the image store, and who signs in it. */
  store: z.string().default('/nowhere'),
  publicKey: z.string().default(() => formatPublicKey(generateKeyPair())),
  seconds: z.number().default(30),
  /** Evidence of preflight, or of the first boot for `controller-confirm`. */
  evidence: z.array(evidenceSchema).default([]),
  from: z.string().default(''),
  to: z.string().default(''),
  container: z.string().default(''),
  restoredAt: z.string().default(new Date().toISOString()),
});

const question = questionSchema.parse(JSON.parse(await text(process.stdin)));
const hook = domainRejoinSchema.parse(question.hook);
const { computerName, capturedAt, siteFolder } = question;
const image = smallImage('OS1', somePassport(), { sequence: 1, previousManifestSha256: null });
const manifest = imageManifestSchema.parse({ ...image.manifest, computerName, capturedAt });
const store = {
  source: { kind: 'directory', path: question.store },
  key: parsePublicKey(question.publicKey),
} as const;
const signal = new AbortController().signal;
const preflight: HookRecord = {
  hook: hook.id,
  kind: hook.kind,
  phase: 'preflight',
  title: 'trust',
  plan: [],
  result: { outcome: 'done', sentence: 'seen' },
  evidence: question.evidence,
  startedAt: capturedAt,
  seconds: 0,
};
const context = {
  hook,
  plan: { station: manifest.station, stationRole: manifest.stationRole, hooks: [hook] },
  image: { ref: 'OS1@latest', manifest, store },
  earlier: [preflight],
  siteFolder,
  signal,
};

const controllerHook = domainControllerSchema.parse({
  id: 'state',
  kind: 'domain-controller',
  directory: hook.directory,
  systemState: question.systemState,
  ...(question.container === '' ? {} : { testContainer: question.container }),
});
/** With room for a system state. */
const dataVolume: Volume = {
  ...{ number: 1, startByte: 1 << 20, sizeBytes: 2 ** 30, usedBytes: 1 << 20, role: 'data' },
  ...{ partitionType: '07', name: '', fileSystem: 'ntfs', capturedAs: 'used-blocks' },
};
const controllerContext = {
  ...context,
  hook: controllerHook,
  earlier: [{ ...preflight, hook: controllerHook.id, startedAt: question.restoredAt }],
  image: {
    store,
    ref: 'DC1@latest',
    manifest: {
      ...manifest,
      station: stationNameSchema.parse(computerName),
      stationRole: 'domain-controller' as const,
      domainController: question.mark,
      disks: manifest.disks.map((disk) => ({ ...disk, volumes: [dataVolume] })),
    },
  },
};

async function answer(): Promise<unknown> {
  const settings = () => readDomainSettings(hook.directory, siteFolder);
  switch (question.ask) {
    case 'preflight': {
      const precondition = await domainRejoinHook.preflight?.precondition(context);
      if (precondition?.kind !== 'ready') return { precondition };
      return { precondition, plan: await domainRejoinHook.preflight?.plan(context) };
    }
    case 'provide': {
      const files = (await domainRejoinHook.provide?.(context)) ?? [];
      return files.map(({ bytes, ...file }) => ({ ...file, bytes: Buffer.from(bytes).toString('base64') }));
    }
    case 'confirm':
      return domainRejoinHook.confirm?.(context, preflight);
    case 'controller-preflight': {
      const precondition = await domainControllerHook.preflight?.precondition(controllerContext);
      return { precondition, plan: await domainControllerHook.preflight?.plan(controllerContext) };
    }
    case 'controller-confirm':
      return domainControllerHook.confirm?.(controllerContext, preflight);
    case 'event-log':
      return readDirectoryServiceLog(await settings(), question.from);
    case 'mark':
      return readControllerMark(await settings(), computerName);
    case 'test-object': {
      const { from, to, container } = question;
      return replicateTestObject(await settings(), { from, to, container, seconds: question.seconds });
    }
  }
}

const bigints = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? { bigint: String(value) } : value;
try {
  console.log(JSON.stringify({ answer: await answer() }, bigints));
} catch (error) {
  console.log(JSON.stringify({ failure: formatError(error) }));
}
