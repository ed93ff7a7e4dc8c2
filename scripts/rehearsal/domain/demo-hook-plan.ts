import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sitePaths } from '#pxe-server/site/site-paths.ts';
import type { LabDomain } from './lab-domain.ts';

/** The demo station's hook plan: what follows a restore that its domain does not trust any more. */

/** What the station's hooks change on the restored system before it starts. */
export const restoreNote = 'etc/issue.d/restored.issue';

export async function writeHookPlan(
  siteFolder: string,
  station: string,
  directory: LabDomain['directory'],
): Promise<void> {
  const { hooks } = sitePaths(siteFolder);
  await mkdir(path.join(hooks, 'bin'), { recursive: true });
  const executable = path.join(hooks, 'bin', 'restore-note.sh');
  await writeFile(executable, noteScript);
  await chmod(executable, 0o755);
  const plan = {
    hooks: [
      {
        ...{ id: 'note', kind: 'site', title: 'Note of the restore above the log-on' },
        ...{ executable: 'restore-note.sh', phases: ['offline'] },
      },
      { id: 'domain', kind: 'domain-rejoin', after: ['note'], directory },
      { id: 'order', kind: 'network-order' },
    ],
  };
  // JSON is YAML.
  await writeFile(path.join(hooks, `${station}.yaml`), `${JSON.stringify(plan, null, 2)}\n`);
}

/** A site's own hook as a plant would write it: sh, and the contract of hook-executable.ts. */
const noteScript = `#!/bin/sh
question=$(sed 's/"earlier":.*//')
field() { echo "$question" | sed -n "s/.*\\"$1\\":\\"\\([^\\"]*\\)\\".*/\\1/p"; }
note=$(field root)/${restoreNote}
text="Restored from $(field ref)"
case $(field operation) in
plan) echo '{"plan":[{"kind":"change","sentence":"Writes the image into /${restoreNote}."}]}' ;;
apply) mkdir -p "\${note%/*}" && echo "$text" >"$note" && echo '{}' ;;
verify) [ "$(cat "$note")" = "$text" ] && echo '{"result":{"outcome":"done","sentence":"The note is there."}}' ;;
esac
`;
