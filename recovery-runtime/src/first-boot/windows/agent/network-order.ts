import { count, has, read, run, shell, system, write } from './station.ts';
import { valuesOf } from './texts.ts';

/**
 * Step of hook `network-order` on a restored Windows: are the network connections called what the image called them,
 * and bound to TCP/IP in the same order? A card that was replaced may count as a new one; it takes over name, address
 * and place of the old one once, Windows is restarted, and it is looked at again.
 */

/** One line of the table (recovery-runtime/src/hooks/network/windows-connections.ts). */
interface Card {
  readonly guid: string;
  readonly service: string;
  readonly slot: string;
  readonly name: string;
}

var set = 'HKLM\\SYSTEM\\CurrentControlSet';
var networkClass = '{4D36E972-E325-11CE-BFC1-08002BE10318}';
var linkage = `${set}\\Services\\Tcpip\\Linkage`;
/** A driver may come late: as often as orderLooks (linux-step.ts). */
var looks = 8;
var givenBack = 'network-order.given-back';
/** The contract's (pxe-server/src/contract/first-boot.ts). */
var restartRetry = 249;
var retry = 250;

function tell(line: string): void {
  WScript.Echo(line);
}

function readText(name: string): string {
  try {
    return String(shell.RegRead(name)).replace(/\0/g, '');
  } catch (_) {
    return '';
  }
}

function readList(name: string): string[] {
  try {
    return new VBArray(shell.RegRead(name)).toArray();
  } catch (_) {
    return [];
  }
}

function readCards(): Card[] {
  var lines = valuesOf(read('network-order.txt'), 'card');
  var cards: Card[] = [];
  for (var at = 0; at < lines.length; at += 1) {
    var parts = (lines[at] || '').split('|');
    cards.push({
      guid: parts[0] || '',
      service: parts[1] || '',
      slot: parts[2] || '',
      name: plain(parts[3] || ''),
    });
  }
  return cards;
}

/** Without `\u` escapes. */
function plain(text: string): string {
  var parts = text.split('\\u');
  var made = [parts[0] || ''];
  for (var at = 1; at < parts.length; at += 1) {
    var part = parts[at] || '';
    made.push(String.fromCharCode(parseInt(part.slice(0, 4), 16)) + part.slice(4));
  }
  return made.join('');
}

function nameKey(guid: string): string {
  return `${set}\\Control\\Network\\${networkClass}\\${guid}\\Connection\\Name`;
}

/** `(0,25,0)` of a device's place as the passport writes it; '' for another kind of place. */
function slotOf(location: string): string {
  var found = /\((\d+),(\d+),(\d+)\)$/.exec(location);
  if (found === null) return '';
  return `0000:${hex(found[1])}:${hex(found[2])}.${found[3]}`;
}

function hex(decimal: string | undefined): string {
  return `0${parseInt(decimal || '0', 10).toString(16)}`.slice(-2);
}

/** Connection of the card that is in the slot now; '' while there is none. A service lists the devices it drives. */
function connectionIn(card: Card): string {
  var devices = `${set}\\Services\\${card.service}\\Enum\\`;
  var number = parseInt(readText(`${devices}Count`) || '0', 10);
  for (var at = 0; at < number; at += 1) {
    var device = `${set}\\Enum\\${readText(`${devices}${at}`)}`;
    if (slotOf(readText(`${device}\\LocationInformation`)) !== card.slot) continue;
    return readText(`${set}\\Control\\Class\\${readText(`${device}\\Driver`)}\\NetCfgInstanceId`);
  }
  return '';
}

function indexOf(list: string[], text: string): number {
  for (var at = 0; at < list.length; at += 1)
    if ((list[at] || '').toLowerCase() === text.toLowerCase()) return at;
  return -1;
}

function deviceOf(guid: string): string {
  return `\\Device\\${guid}`;
}

/** The places of our connections, filled in the image's order; what is between them stays where it is. */
function orderedBind(bind: string[], cards: Card[], now: string[]): string[] {
  var wanted: string[] = [];
  for (var at = 0; at < now.length; at += 1) wanted.push(deviceOf(now[at] || ''));
  var ours = wanted.slice(0);
  for (var card = 0; card < cards.length; card += 1) {
    var old = deviceOf((cards[card] || { guid: '' }).guid);
    if (indexOf(ours, old) === -1) ours.push(old);
  }
  var left = wanted.concat(ours.slice(wanted.length));
  var ordered: string[] = [];
  for (var place = 0; place < bind.length; place += 1) {
    var entry = bind[place] || '';
    if (indexOf(ours, entry) === -1) {
      ordered.push(entry);
      continue;
    }
    ordered.push(left[0] || '');
    left = left.slice(1);
  }
  for (var rest = 0; rest < left.length; rest += 1)
    if (indexOf(wanted, left[rest] || '') !== -1) ordered.push(left[rest] || '');
  return ordered;
}

/** What is not as it was in the image, a sentence each. */
function findWrong(cards: Card[], now: string[], bind: string[]): string[] {
  var wrong: string[] = [];
  var before = -1;
  for (var at = 0; at < cards.length; at += 1) {
    var card = cards[at];
    var guid = now[at] || '';
    if (card === undefined) continue;
    var name = readText(nameKey(guid));
    var place = indexOf(bind, deviceOf(guid));
    tell(`slot ${card.slot}: "${name}" ${guid}, place ${place + 1}`);
    if (name !== card.name)
      wrong.push(`The card in slot ${card.slot} is "${name}" instead of "${card.name}".`);
    if (guid.toLowerCase() !== card.guid.toLowerCase() && !has(givenBack))
      wrong.push(`Windows takes the card in slot ${card.slot} for a new one.`);
    if (place === -1) wrong.push(`TCP/IP is not bound to "${name}".`);
    else if (place < before) wrong.push(`"${name}" comes before a card that it came after.`);
    before = place;
  }
  return wrong;
}

/** Address and name of the card that is gone; Windows reads both when it starts. */
function takeOver(card: Card, guid: string): void {
  var trees = [
    'Tcpip\\Parameters\\Interfaces\\',
    'Tcpip6\\Parameters\\Interfaces\\',
    'NetBT\\Parameters\\Interfaces\\Tcpip_',
  ];
  for (var at = 0; at < trees.length; at += 1) {
    var tree = `${set}\\Services\\${trees[at]}`;
    if (run(`${system('reg.exe')} query "${tree}${card.guid}"`) !== 0) continue;
    var code = run(`${system('reg.exe')} copy "${tree}${card.guid}" "${tree}${guid}" /s /f`);
    if (code !== 0) tell(`reg copy of ${trees[at]} ended with ${code}`);
  }
  shell.RegWrite(nameKey(card.guid), `${card.name} (replaced)`, 'REG_SZ');
}

function giveBack(cards: Card[], now: string[], bind: string[]): void {
  for (var at = 0; at < cards.length; at += 1) {
    var card = cards[at];
    var guid = now[at] || '';
    if (card === undefined) continue;
    if (guid.toLowerCase() !== card.guid.toLowerCase()) takeOver(card, guid);
    if (readText(nameKey(guid)) !== card.name) shell.RegWrite(nameKey(guid), card.name, 'REG_SZ');
  }
  var ordered = orderedBind(bind, cards, now);
  if (ordered.join(',') === bind.join(',')) return;
  // RegWrite has no lists.
  var code = run(
    `${system('reg.exe')} add "${linkage}" /v Bind /t REG_MULTI_SZ /s , /d "${ordered.join(',')}" /f`,
  );
  if (code !== 0) tell(`reg add of Bind ended with ${code}`);
}

/** @returns exit code of the step */
function checkOrder(): number {
  var cards = readCards();
  if (cards.length === 0) {
    tell('Its list of network cards is empty: nothing was compared.');
    return 1;
  }
  var now: string[] = [];
  var missing: string[] = [];
  var names: string[] = [];
  for (var at = 0; at < cards.length; at += 1) {
    var card = cards[at];
    if (card === undefined) continue;
    var guid = connectionIn(card);
    now.push(guid);
    names.push(card.name);
    if (guid === '') missing.push(card.slot);
  }
  if (missing.length > 0) {
    if (count('network-order.looks') < looks) return retry;
    tell(`Windows sees no network card in slot ${missing.join(' and ')}.`);
    return 1;
  }
  var bind = readList(`${linkage}\\Bind`);
  var wrong = findWrong(cards, now, bind);
  if (wrong.length === 0) {
    var again = has(givenBack) ? ', after they were given back' : '';
    tell(`Network connections have their names and their order${again}: ${names.join(', ')}.`);
    return 0;
  }
  tell(wrong.join(' '));
  if (has(givenBack)) return 1;
  // First: whatever stops it in between is not tried for ever.
  write(givenBack, wrong.join('\r\n'));
  giveBack(cards, now, bind);
  return restartRetry;
}

WScript.Quit(checkOrder());
