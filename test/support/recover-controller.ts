import fs from 'node:fs';
import type { HookMaterial } from '#contract/first-boot.ts';
import type { DomainController } from '#contract/hook-kinds/domain-controller.ts';
import { formatImageName, parseImageName } from '#images/format/image-name.ts';
import { parsePublicKey } from '#images/format/minisign.ts';
import type { StoreRef } from '#images/stores/chunk-store.ts';
import { readListedFile, readManifest } from '#images/stores/image-folder.ts';
import { createTerminal } from '#runtime/console/terminal.ts';
import { type Findings, newFindings } from '#runtime/engine/findings.ts';
import { startRun } from '#runtime/engine/run.ts';
import { recoverDisks } from '#runtime/recover-disks.ts';
import { byRule } from '#runtime/restore/restore-scope.ts';
import { checkIdentity } from '#runtime/steps/check-identity.ts';
import { believeImage } from '#runtime/steps/open-job.ts';
import type { Machine } from '#runtime/workflow-machine.ts';
import { controllerPlan, controllerPreflight } from './controller-station.ts';
import { fileMachine } from './file-machine.ts';
import { createPipedPort } from './terminal-screen.ts';

/**
 * The runtime's own way from the plan to a restored controller: its service has asked the directory, and a person has
 * armed the station.
 */
export interface ControllerRecovery {
  readonly device: string;
  readonly store: string;
  /** Name of the image's folder. */
  readonly image: string;
  /** File with the site's public key. */
  readonly publicKey: string;
  readonly systemState?: DomainController['systemState'];
  /** STATION@<UTC time> of the system state in the store that its preflight has chosen. */
  readonly chosen?: string;
  /** Absent: `store` itself. */
  readonly source?: StoreRef;
  takeMaterial?(): Promise<HookMaterial>;
  /** Address of a network card that was replaced since the image was taken. */
  readonly newCard?: string;
  /** The real one; absent: one whose only disk is `device`, with the identity of the image's. */
  readonly machine?: Machine;
}

const noMaterial: HookMaterial = {
  firstBootKey: '0'.repeat(64),
  servers: ['http://192.0.2.1'],
  files: [],
  failed: [],
};

export async function recoverController(
  recovery: ControllerRecovery,
): Promise<{ readonly findings: Findings; readonly steps: readonly string[]; readonly error: unknown }> {
  const { device, store, systemState, takeMaterial = async () => noMaterial } = recovery;
  const name = parseImageName(recovery.image);
  if (name === null) throw new Error(`${recovery.image} is no image`);
  const key = parsePublicKey(fs.readFileSync(recovery.publicKey, 'utf8'));
  const image = await believeImage({
    ref: formatImageName(name).replace('_', '@'),
    ...(await readManifest(store, name, key)),
    key,
    readListed: (manifest, file) => readListedFile(store, name, manifest, file),
    source: recovery.source ?? { kind: 'directory', path: store },
  });
  const passport = image.passport;
  const checked = checkIdentity(passport, passport, passport);
  if (checked.kind === 'refused') throw new Error('a passport is like itself');
  const [passportDisk] = passport.disks;
  if (passportDisk === undefined) throw new Error('the station has a disk');
  const { newCard } = recovery;
  const networkCards = passport.networkCards.map((card, at) =>
    at === 0 && newCard !== undefined ? { ...card, mac: newCard } : card,
  );
  const machine =
    recovery.machine ??
    fileMachine({
      site: { ca: '', imageSigner: '' },
      passport: { ...passport, networkCards },
      disks: [{ passportDisk, devicePath: device }],
    });
  const findings = newFindings();
  const run = startRun(machine, []);
  const error = await recoverDisks({
    run,
    terminal: createTerminal([createPipedPort()]),
    machine,
    findings,
    inventory: await machine.takeInventory(),
    image,
    identity: checked.identity,
    scope: byRule,
    dryRun: false,
    by: { how: 'armed', name: 'meier', acceptsReplaced: false },
    hooks: {
      plan: controllerPlan(systemState),
      preflight: [controllerPreflight('state-hook-required', recovery.chosen)],
      jobId: '00000000-0000-4000-8000-000000000000',
      takeMaterial,
    },
  }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { findings, steps: run.records.map(({ step }) => step), error };
}
