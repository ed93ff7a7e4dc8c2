import { formatBytes } from '#base/bytes.ts';
import type { Problem } from '#contract/api.ts';
import type { BootTrust } from '#contract/run-report.ts';
import type { ImageChange } from '#images/capture/image-change.ts';
import type { NetworkUp } from '../network/bring-up.ts';
import { formatDuration } from './quantities.ts';

/**
 * Every sentence and prompt that a person meets at the station, in one place so that a second language can
 * stand beside it. Prompts are a contract: whoever drives the console by program waits for exactly these.
 */

export const prompts = {
  technician: 'Technician: ',
  password: 'Password: ',
  name: 'Your name, for the report: ',
  noted: 'Press Enter when you have noted it: ',
  image: 'Image [1]: ',
  station: 'Station name to enrol: ',
  startRestore: (station: string) => `Type ${station} to start the restore: `,
  startCapture: (station: string) => `Type ${station} to start the capture: `,
  overwriteData: 'Type OVERWRITE to lose what is on them now: ',
  lostData: 'Type RESTORE or LEAVE: ',
  volumes: 'Volumes to restore: ',
  menu: 'Choose 1 to 4: ',
} as const;

/** What each step is doing, as the person sees it while it goes on. */
export const titles = {
  'read-site': 'Reading the keys of this site',
  'load-drivers': 'Loading drivers',
  'bring-up-network': 'Bringing up the network card that this machine booted from',
  'take-passport': "Reading this machine's hardware",
  'check-ticket': 'Asking which station this medium is for',
  'check-medium': 'Reading the whole medium',
  'reach-server': 'Reaching the recovery service',
  'ask-armed': 'Asking whether this station is armed',
  'log-on': 'Logging on',
  'list-images': "Listing the station's images",
  'choose-image': 'Choosing an image',
  'open-job': 'Opening the restore',
  'check-image': "Checking the image's signature",
  'announce-restore': 'Telling the image store that this image is in use',
  'mount-store': 'Mounting the share that holds the images',
  'check-identity': "Comparing this machine with the image's",
  'choose-disks': 'Looking for the disks to restore',
  'plan-restore': 'Planning what is overwritten and what survives',
  'choose-volumes': 'Choosing the volumes to restore',
  'preflight-hooks': 'Asking whether what follows the restore can work',
  'check-system-state': 'Looking for the system state of this domain controller',
  'pre-flight': 'Checking that every chunk of the image is there',
  confirm: 'Asking for confirmation',
  'lock-disks': 'Locking what is not restored against writing',
  'recheck-disks': 'Making sure that these are still the same disks',
  'restore-disks': 'Restoring, and reading back what was written',
  'repair-boot-entries': 'Putting the firmware boot entry right',
  'apply-hooks': 'Doing what follows the restore',
  'finish-disks': 'Writing the first blocks of the disks',
  'inspect-windows': 'Inspecting the restored Windows before it starts',
  'name-station': 'Naming this station',
  'enrol-station': 'Enrolling this station',
  'open-capture': 'Opening the capture',
  'confirm-capture': 'Asking for confirmation',
  'choose-capture-disks': "Looking for the station's disks",
  'capture-disks': "Capturing this station's disks",
  'commit-capture': 'Finishing the image',
  'send-report': 'Sending the report',
  'ask-name': 'Asking who is here',
  'keep-report': 'Keeping the report on the medium',
} as const;

export const texts = {
  product: 'Rekindle',
  starting: 'Rekindle is starting.',
  purpose: { recovery: 'recovery', enrolment: 'enrolment' },
  consoleLost: (reason: string) => `One console cannot be used: ${reason}`,

  driversLoaded: (modules: number) => `${count(modules, 'driver module')} loaded.`,
  noDrivers: 'No driver was loaded; only what the kernel itself has is at work.',
  withoutDriver: (devices: readonly string[]) =>
    `looking at the hardware: nothing drives ${devices.join(', ')}`,
  otherModels: (bootMac: string) =>
    `comparing this machine with the station that starts from ${bootMac}: they are not the same hardware`,

  notOwnCard: (mac: string) =>
    `${mac} is none of this machine's own cards, but a docking station's or a USB adapter's: it says nothing about which station this is.`,
  networkUp: ({ interfaceName, mac, address, by, vlan, mtu }: NetworkUp) => {
    const settings = [
      by === 'fixed' ? 'fixed' : '',
      vlan === undefined ? '' : `tagged VLAN ${vlan}`,
      mtu === undefined ? '' : `packets of ${mtu} bytes`,
    ].filter((setting) => setting !== '');
    const how = settings.length === 0 ? '' : ` (${settings.join(', ')})`;
    return `${interfaceName} (${mac}) has the address ${address}${how}.`;
  },
  machine: (what: string, cards: number, disks: number, { secureBoot, kernelLockdown }: BootTrust) => {
    const trust =
      secureBoot === 'enabled' ? ` Secure Boot is on, the kernel locked down (${kernelLockdown}).` : '';
    return `${what}; ${count(cards, 'network card')}, ${count(disks, 'disk')}.${trust}`;
  },
  mediumOf: (station: string, builtAt: string) => `This medium is for ${station}, built ${builtAt}.`,
  mediumWhole: (files: number, bytes: number) =>
    `${count(files, 'file')} of the medium (${formatBytes(bytes)}) are as they were built.`,
  fromMedium: 'image on this medium',
  nobodyLogsOn:
    'Without the recovery service nobody logs on. What counts is the medium, this machine and your hand.',
  nameGiven: (name: string) => `${name} is here.`,
  nobody: 'nobody',
  nobodyChecked: (name: string) => `That it was ${name}: the name was typed, and no service has checked it.`,
  reportUnsigned: 'Who wrote this report: the medium holds no key of the site, so it is not signed.',
  reportKept: (file: string) => `The report is ${file} on the medium. Bring it to the office.`,
  reportOnScreen: (station: string, image: string | null, openedAt: string) =>
    `Report: ${station}, ${image ?? 'no image'}, started ${openedAt}.`,
  mediumGone: 'The medium is not there any more; its files were not checked.',
  serverReached: (url: string) => `${url} answers, and its certificate is this site's.`,
  disksLocked: (locked: readonly string[], inUse: readonly string[]) =>
    [
      locked.length === 0 ? 'Nothing had to be locked.' : `Write-locked until the end: ${locked.join(', ')}.`,
      ...(inUse.length === 0 ? [] : [`In use by this system, so not locked: ${inUse.join(', ')}.`]),
    ].join(' '),
  serverRetry: (seconds: number) => `The recovery service does not answer yet; trying again in ${seconds} s.`,

  armed: (by: string, image: string) => `${by} armed this station for ${image}.`,
  notArmed: 'Not armed: a technician has to log on.',
  loggedOn: (technician: string) => `${technician} is logged on.`,
  logOnRefused: ({ message, next, triesLeft, retryAfterSeconds }: Problem) => {
    const tries = triesLeft === undefined ? '' : ` ${count(triesLeft, 'try', 'tries')} left.`;
    const wait =
      retryAfterSeconds === undefined ? tries : ` Try again in ${formatDuration(retryAfterSeconds)}.`;
    return `${message}${next === undefined ? wait : ` ${next}`}`;
  },
  nameNeeded: 'A technician name is needed.',
  recognised: (station: string, facts: readonly string[]) =>
    `This machine is ${station}; recognised by ${facts.join(', ')}.`,

  imagesFound: (station: string, found: number) => `${count(found, 'image')} of ${station}.`,
  imageHeadings: ['', 'captured', 'consistency', 'used', 'of', 'image'],
  noSuchNumber: (answer: string, last: number) => `"${answer}" is not a number from 1 to ${last}.`,
  imageChosen: (ref: string) => `${ref}.`,
  jobOpened: (jobId: string) => `Restore ${jobId}. Nothing has been written.`,
  imageSigned: (station: string, capturedAt: string) =>
    `The image of ${station} from ${capturedAt} is signed with this site's key.`,

  restoreAnnounced: 'The store keeps this image and its chunks until the restore has ended.',
  restoreNotAnnounced: (reason: string) =>
    `The store was not told (${reason}). Remove no image there before the restore has ended.`,
  storeMounted: (share: string, sealed: boolean) => `${share}${sealed ? ', everything encrypted' : ''}.`,

  identical: 'Identical hardware.',
  identicalBut: (parts: number) => `Identical hardware, except for ${count(parts, 'replaced part')}.`,
  disksChosen: (disks: readonly string[]) => `${disks.join('; ')}.`,
  planned: (overwritten: number, kept: number, lost: readonly string[]) => {
    const sizes = `${formatBytes(overwritten)} will be overwritten, ${formatBytes(kept)} survive.`;
    return lost.length === 0 ? sizes : `${sizes} Not in the image, and lost: ${lost.join(', ')}.`;
  },
  preflightDone: (chunks: number) =>
    `All ${chunks} chunks are in the store; the first and the last were read.`,

  preflightRefuses: (station: string) => `checking what follows the restore of ${station}`,
  mendPlan: (station: string) => `Put it right, or change the hook plan of ${station}, then try again.`,
  hooksReady: (hooks: readonly string[]) =>
    hooks.length === 0
      ? 'Nothing follows the restore: the station has no hooks.'
      : `${count(hooks.length, 'hook')} can follow the restore: ${hooks.join(', ')}.`,
  systemStateSigned: (takenAt: string) =>
    `The system state of ${takenAt} is in the store, signed with this site's key.`,
  noHooks: (planned: number) =>
    planned === 0 ? 'The station has no hooks.' : 'No system volume was restored, so no hook has to follow.',
  hooksApplied: (outcomes: readonly string[]) =>
    `${[...new Set(outcomes)]
      .map((outcome) => `${outcomes.filter((each) => each === outcome).length} ${outcome}`)
      .join(', ')}.`,
  hooksHeading: 'After the restore',
  hookLine: { change: '', warning: 'WARNING: ', 'needs-person': 'DECIDE: ' },
  hookFailed: (hook: string, sentence: string) => `FAILED ${hook}: ${sentence}`,
  awaitingFirstBoot: (hooks: readonly string[]) =>
    `The first start goes on with ${hooks.join(', ')}, and reports to the service.`,
  notStarted:
    'This machine is not started again by itself: look at what failed first. The report says what is left to do.',

  compareHeading: 'Hardware',
  noDifferences: 'The same as when the image was taken.',
  severity: { fatal: 'not identical', 'replaced-part': 'replaced part', note: 'note' },
  diskHeading: (number: number, model: string, size: string) => `Disk ${number}: ${model}, ${size}`,
  noSerial: 'no serial number',
  barLegend: '# will be overwritten   = survives   . not in the image',
  overwrites: 'overwrites ',
  keeps: 'keeps      ',
  loses: 'LOSES      ',
  wrongName: (typed: string, station: string) =>
    `"${typed}" is not ${station}. Nothing has been written. Ctrl-C cancels.`,
  otherVolumes: 'Type VOLUMES instead to restore something else: single volumes, or data volumes too.',
  otherVolumesWanted: 'Other volumes are to be restored.',
  volumesHelp:
    'Name the volumes by number, name or label, separated by commas; or type all for every volume, data volumes too. What is not named is not touched, the partition table included.',
  volumesChosen: (volumes: string) => `To be restored: ${volumes}.`,
  overwritesData: (volumes: readonly string[], capturedAt: string) =>
    `${volumes.join(', ')}: what is there now is lost, and replaced by what was there on ${capturedAt}.`,
  notOverwrite: (typed: string) => `"${typed}" is not OVERWRITE. Nothing has been written. Ctrl-C cancels.`,
  lostDataChoice: (capturedAt: string) =>
    `RESTORE brings them back as they were on ${capturedAt}. LEAVE writes nothing there: choose it when somebody is to recover what may still be on the disk.`,
  neitherWord: (typed: string) =>
    `"${typed}" is neither RESTORE nor LEAVE. Nothing has been written. Ctrl-C cancels.`,
  confirmedByName: (station: string) => `${station} was typed.`,
  confirmedByArming: (by: string) => `Armed by ${by}; nothing was asked.`,
  disksUnchanged: 'The disks are those that were shown.',
  dryRun: 'Dry run: nothing was written, and nothing will be.',
  lastWarning: 'What is marked # is gone once the restore has started.',
  lostWarning: 'What is listed under LOSES is not in the image: nothing brings it back.',

  overwritesRecovery: (station: string, partition: number) =>
    `WARNING: the recovery of ${station} that is installed in partition ${partition} will be overwritten. Afterwards put it back, its disk attached to the server: rekindle media install ${station} --disk DISK --partition ${partition}`,
  restorePhase: {
    restoring: (disk: number) => `Disk ${disk}: restoring`,
    verifying: (disk: number) => `Disk ${disk}: reading back what was written`,
    finishing: (disk: number) => `Disk ${disk}: writing and checking the first blocks`,
  },
  restored: (written: string, verified: string) =>
    `${written} written; ${verified} read back from the disk, and every chunk is the image's.`,
  contentRestored:
    'Every chunk is on the disks and was read back. They do not start yet: their first blocks wait for what has to be done before.',
  bootEntryRight: (label: string) => `"${label}" is first in the boot order.`,
  bootEntryWritten: (label: string, number: string) => `"${label}" written as Boot${number} and put first.`,
  noBootEntry: 'The image has no boot entry of its own; the firmware finds the disk by itself.',
  noUefi: 'Started by BIOS: there is no boot entry to put right.',
  inspection: 'Whether the restored Windows can start',
  noWindows: 'There is no Windows to inspect.',
  notInspected: (why: string) => `The restored Windows could not be inspected: ${why}.`,
  doNotStart: 'Clear this up before you start the station, or restore another image.',
  reportSent: 'The report is with the recovery service.',

  enrolmentUnknown: 'This machine is not known yet.',
  badStationName: (why: string) => `That cannot be a station's name: ${why}.`,
  enrolled: (station: string) => `This machine is ${station} now.`,
  captureOpened: (image: string) => `The image will be ${image}.`,
  captureSource: 'These disks are read. Nothing on them is changed.',
  captured: (read: number, { newBytes, contentBytes, share, storedBytes }: ImageChange) =>
    `${formatBytes(read)} read. New since the last image: ${formatBytes(newBytes)} of ${formatBytes(contentBytes)} ` +
    `(${(share * 100).toFixed(1)} %), ${formatBytes(storedBytes)} in the store.`,
  captureWaits: (message: string) => `${message} This station waits for its turn.`,
  captureHeldToRate: (bytesPerSecond: number) =>
    `This station is on the terminal bus: at most ${formatBytes(bytesPerSecond)}/s are read and sent.`,
  captureHeldToLoad: (percent: number) => `The capture works ${percent} % of the time, and rests in between.`,
  warning: (sentence: string) => `WARNING: ${sentence}.`,
  captureWarning: (disk: string, warning: string) => `${disk}: ${warning}`,
  captureDisk: (disk: string) => `Capturing ${disk}`,
  dataVolumes: (disk: string, names: readonly string[]) =>
    names.length === 0
      ? `${disk}: no data volume; a restore overwrites all of it.`
      : `${disk}: a restore leaves ${names.join(', ')} alone.`,
  stationKnown: (station: string) => `This machine is ${station} already; a new image of it is taken.`,
  stationNamed: (station: string) => `It will be ${station}.`,
  committed: (ref: string) => `${ref} is complete, checked and signed.`,

  restoreDone: (station: string) => `${station} is restored.`,
  captureDone: (image: string) => `${image} is in the image store.`,
  rebooting: 'This machine starts again now.',
  stopped: 'Stopped',
  nothingWritten: 'Nothing was written to any disk.',
  somethingWritten: 'The restore had begun. Starting it again keeps what is right already.',
  because: 'because: ',
  next: 'Next: ',
  exitCode: (code: number) => `(exit code ${code})`,
  cancelled: 'cancelled at the console',
  timedOut: 'nobody answered',
  noConsole: 'no console is left to ask at',
  menu: ['1  try again', '2  shell', '3  start this machine again', '4  power off'],
} as const;

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
