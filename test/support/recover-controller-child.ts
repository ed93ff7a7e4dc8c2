import { storedBackup } from './controller-station.ts';
import { recoverController } from './recover-controller.ts';

/**
 * A recovery in a process of its own, to be killed. It says when its hooks are about to run, and waits there; with a
 * store behind a URL it goes on, with the system state of that store.
 */
const [device = '', store = '', image = '', publicKey = '', url, chosen = ''] = process.argv.slice(2);
const { error } = await recoverController({
  ...{ device, store, image, publicKey },
  ...(url === undefined
    ? {
        takeMaterial() {
          process.stdout.write('content restored\n');
          return new Promise(() => setInterval(() => {}, 60_000));
        },
      }
    : { source: { kind: 'http', url }, systemState: storedBackup, chosen }),
});
if (error !== undefined) throw error;
