import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type RunReport, runReportSchema } from '#contract/run-report.ts';
import { sitePaths } from '#pxe-server/site/site-paths.ts';

/** Fails unless Debian's minisign finds the signature beside the file right. */
export async function verifyWithMinisign(file: string, publicKey: string): Promise<void> {
  await promisify(execFile)('minisign', ['-V', '-q', '-p', publicKey, '-m', file]);
}

/** The newest run report of a station, after its signature was checked with Debian's minisign. */
export async function newestRunReport(siteFolder: string, station: string): Promise<RunReport> {
  return (await newestReportFile(siteFolder, station)).report;
}

export async function newestReportFile(
  siteFolder: string,
  station: string,
): Promise<{ readonly file: string; readonly report: RunReport }> {
  const { reports, imageSigningPublicKey } = sitePaths(siteFolder);
  const folder = path.join(reports, station);
  const all = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const file = path.join(folder, name, 'report.json');
      return { file, report: runReportSchema.parse(JSON.parse(await readFile(file, 'utf8'))) };
    }),
  );
  // Folder names tell seconds only.
  const newest = all.sort((a, b) => a.report.closedAt.localeCompare(b.report.closedAt)).at(-1);
  if (newest === undefined) throw new Error(`there is no run report in ${folder}`);
  await verifyWithMinisign(newest.file, imageSigningPublicKey);
  return newest;
}
