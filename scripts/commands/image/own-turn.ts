import type { CaptureImageOptions } from '#images/capture/capture-image.ts';
import { turnPolicy } from '#pxe-server/stations/capture-policy.ts';
import { type OpenSite, operatorName } from '../../site-option.ts';

/** Every verb that writes an image waits for its turn in the store, as the site's policy says. */
export function ownTurn(
  { configuration }: OpenSite,
  wait: boolean,
): NonNullable<CaptureImageOptions['turn']> {
  let told = '';
  return {
    who: operatorName(),
    policy: turnPolicy(configuration.captures),
    once: !wait,
    onWait(sentence) {
      // Asked every few seconds; a person is told once.
      if (sentence !== told) console.error(`Waiting: ${sentence}.`);
      told = sentence;
    },
  };
}
