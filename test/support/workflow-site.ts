import type { RunReport } from '#contract/run-report.ts';
import type { HardwarePassport, PassportDisk } from '#images/passport/hardware-passport.ts';
import { addStation } from '#pxe-server/stations/station-registry.ts';
import type { Machine } from '#runtime/workflow-machine.ts';
import { type ApiService, startApiService } from './api-service.ts';
import { fileMachine, type Sitting, sitDown } from './file-machine.ts';
import { demoDisk, makeDemoDisk, makeTemporaryFolder } from './restore-demo-disk.ts';
import { newestRunReport } from './run-reports.ts';
import { somePassport } from './some-passport.ts';

export const station = 'OS-SRV-1A';
const [someDisk] = somePassport().disks as [PassportDisk];
export const stationDisk: PassportDisk = { ...someDisk, sizeBytes: demoDisk.sizeBytes };
export const healthy: HardwarePassport = { ...somePassport(), disks: [stationDisk] };

/** The real service, and a station that it knows, with its disk in a file. */
export interface WorkflowSite extends AsyncDisposable {
  readonly service: ApiService;
  readonly folder: string;
  readonly diskFile: string;
  /** The station as it is now, with this disk. */
  machineOf(file: string, changes?: Partial<HardwarePassport>): Machine;
  recover(machine: Machine, dryRun?: boolean): Sitting;
  capture(machine: Machine): Sitting;
  /** Its signature was checked. */
  latestReport(): Promise<RunReport>;
}

export async function startWorkflowSite(): Promise<WorkflowSite> {
  const folder = makeTemporaryFolder();
  const service = await startApiService();
  addStation(service.context.state, { name: station, passport: healthy, by: 'the test' });
  const sit = (machine: Machine, purpose: 'recovery' | 'enrolment', dryRun: boolean) =>
    sitDown(machine, { server: service.url, purpose, dryRun });
  return {
    service,
    folder: folder.path,
    diskFile: makeDemoDisk(folder.path),
    machineOf(file, changes = {}) {
      const passport = { ...healthy, ...changes };
      const [passportDisk = stationDisk] = passport.disks;
      return fileMachine({ site: service, passport, disks: [{ passportDisk, devicePath: file }] });
    },
    recover: (machine, dryRun = false) => sit(machine, 'recovery', dryRun),
    capture: (machine) => sit(machine, 'enrolment', false),
    latestReport: () => newestRunReport(service.context.paths.folder, station),
    async [Symbol.asyncDispose]() {
      await service.close();
      folder[Symbol.dispose]();
    },
  };
}
