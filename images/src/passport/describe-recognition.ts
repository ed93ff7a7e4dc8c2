import type { HardwarePassport } from './hardware-passport.ts';
import type { Recognition, RegisteredStation, StationLikeness } from './recognise-station.ts';

/**
 * What a technician should know about who this machine is or is not: facts that it shares with stations it is not
 * taken for, each with what usually is behind it. Empty when nothing is odd. Pure.
 */
export function describeRecognition(
  machine: HardwarePassport,
  recognition: Recognition,
  registered: readonly RegisteredStation[],
): string[] {
  const name = recognition.kind === 'recognised' ? recognition.name : undefined;
  const sentences = recognition.kind === 'recognised' ? [] : recognition.alike.map(describeLikeness);
  if (recognition.kind === 'ambiguous') {
    const names = recognition.alike.map((each) => each.name).join(' and ');
    sentences.unshift(
      `This machine is ${names} alike: one was registered twice, or its serials and UUID were cloned. Nothing is guessed; remove the registration that is wrong.`,
    );
  }
  const told = new Set(recognition.kind === 'recognised' ? [] : recognition.alike.map((each) => each.name));
  for (const station of registered) {
    if (station.name === name || told.has(station.name)) continue;
    const theirs = station.passport.networkCards.map(({ mac }) => mac);
    for (const { mac, slot } of machine.networkCards.filter((card) => theirs.includes(card.mac))) {
      sentences.push(
        `The network card ${mac} in slot ${slot} belongs to ${station.name}: it was moved here, or it is a docking station's that both use. Put it back, or both stations will be mistaken for each other by the network.`,
      );
    }
  }
  return sentences;
}

function describeLikeness({ name, same, different }: StationLikeness): string {
  const shared = same.join(', ');
  const differs = different.length === 0 ? '' : ` but not its ${different.join(', ')}`;
  return `It has the ${shared} of ${name},${differs === '' ? ' and nothing else to go by' : differs}: ${explain(same, different)}`;
}

/** What usually is behind a few facts that agree. */
function explain(same: readonly string[], different: readonly string[]): string {
  const isMac = (fact: string): boolean => fact.startsWith('MAC ');
  if (same.every(isMac) && different.length > 0)
    return "a network card was moved, or it is a docking station's that both use; this is another machine.";
  if (same.length === 1 && same[0] === 'system UUID' && different.length > 0)
    return 'the UUID was cloned (vendor tools do that), this is another machine.';
  if (different.length === 0) return 'one fact alone is not believed.';
  return 'more was replaced than one visit explains. Put the old parts back, or enrol it anew.';
}
