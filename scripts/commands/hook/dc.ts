import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { sentenceOf } from '#contract/hook-result.ts';
import { formatImageRef } from '#images/format/image-name.ts';
import { domainControllerHook, linesOf, lookAtController } from '#pxe-server/hooks/domain-controller.ts';
import { say } from '../../fit-terminal.ts';
import { openStationHook } from '../../hooks/station-hook.ts';
import { type SiteOption, withSite } from '../../site-option.ts';

interface Options extends SiteOption {
  readonly image: string;
  readonly proof?: boolean;
  readonly json?: boolean;
}

export function dcCommand(): Command {
  return withSite(new Command('dc'))
    .description(
      'look whether the image of a domain controller may be restored, and whether one came back well',
    )
    .argument('<station>', 'its hook plan has a hook of kind domain-controller')
    .option('--image <time>', 'the image: latest, or its UTC time', 'latest')
    .option('--proof', 'after the restore: ask a partner, send a test object both ways, read the event logs')
    .option('--json', 'as JSON')
    .action(dc);
}

async function dc(name: string, options: Options): Promise<void> {
  const { hook, ref, manifest, store, paths } = await openStationHook(name, 'domain-controller', options);
  const context = { hook, image: { ref, manifest, store }, siteFolder: paths.folder };
  if (options.proof === true) {
    const signal = AbortSignal.timeout(hook.timeoutSeconds * 1000);
    const { result, evidence } = await domainControllerHook.confirm(
      { ...context, signal, earlier: [] },
      { evidence: [] },
    );
    if (options.json === true) console.log(JSON.stringify({ result, evidence }));
    else {
      for (const { name: kind, value } of evidence) console.log(`${kind.padEnd(10)} ${value}`);
      console.log(`${result.outcome}: ${sentenceOf(result)}`);
    }
    if (result.outcome === 'failed') {
      throw new RekindleError('failed-hooks', `${manifest.computerName} did not come back well`, {
        ...(result.next === undefined ? {} : { next: result.next }),
      });
    }
    return;
  }
  const look = await lookAtController(context);
  const { verdict, stored } = look;
  const refused =
    verdict.kind === 'refused' ? verdict : stored?.verdict.kind === 'refused' ? stored.verdict : undefined;
  if (options.json === true)
    console.log(
      JSON.stringify({
        ref,
        ...verdict,
        ...(stored === undefined
          ? {}
          : { systemState: { ref: formatImageRef(stored.name), ...stored.verdict } }),
      }),
    );
  else if (refused === undefined) {
    for (const { kind, sentence } of linesOf(look, hook)) say(`${marks[kind]} ${sentence}`, 2);
  } else for (const finding of verdict.findings) say(`! ${finding}`, 2);
  if (refused !== undefined) throw new RekindleError('failed-hooks', refused.why, { next: refused.next });
}

const marks = { change: ' ', warning: '!', 'needs-person': '?' } as const;
