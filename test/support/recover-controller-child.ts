import { recoverController } from './recover-controller.ts';

/** A recovery in a process of its own, which says when its hooks are about to run, and waits there to be killed. */
const [device = '', store = '', image = '', publicKey = ''] = process.argv.slice(2);
await recoverController({
  ...{ device, store, image, publicKey },
  takeMaterial() {
    process.stdout.write('content restored\n');
    return new Promise(() => setInterval(() => {}, 60_000));
  },
});
