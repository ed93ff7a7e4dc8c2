import { readFile, writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { comparePassports } from '#images/passport/compare-passports.ts';
import { type HardwarePassport, hardwarePassportSchema } from '#images/passport/hardware-passport.ts';
import { takePassport } from '#runtime/inventory/inventory.ts';

export function passportCommand(): Command {
  const command = new Command('passport').description('what a machine is: its hardware passport');
  command
    .command('take')
    .description('take the passport of this machine; looks, and changes nothing')
    .option('--output <file>', 'write it to a file instead of the terminal')
    .action(async ({ output }: { readonly output?: string }) => {
      const text = `${JSON.stringify(await takePassport(), null, 2)}\n`;
      if (output === undefined) process.stdout.write(text);
      else {
        await writeFile(output, text);
        console.error(`The passport of this machine is in ${output}.`);
      }
    });
  command
    .command('diff')
    .description('compare two passports; exit code 12 when the hardware is not identical')
    .argument('<expected>', 'passport.json of the image or the station')
    .argument('<found>', 'passport.json of the machine')
    .option('--json', 'as JSON')
    .action(async (expected: string, found: string, options: { readonly json?: boolean }) => {
      const differences = comparePassports(await readPassportFile(expected), await readPassportFile(found));
      if (options.json === true) console.log(JSON.stringify(differences));
      else for (const each of differences) console.log(`${each.severity.padEnd(14)} ${each.sentence}`);
      const fatal = differences.filter(({ severity }) => severity === 'fatal');
      if (fatal.length > 0) {
        const count = fatal.length === 1 ? 'one difference is' : `${fatal.length} differences are`;
        throw new RekindleError('hardware-not-identical', `The hardware is not identical: ${count} fatal`);
      }
      if (options.json !== true)
        console.log('The hardware is identical, or differs in replaceable parts only.');
    });
  return command;
}

/** @throws RekindleError `usage` */
export async function readPassportFile(file: string): Promise<HardwarePassport> {
  try {
    return hardwarePassportSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (cause) {
    throw new RekindleError('usage', `The passport ${file} cannot be read`, {
      cause: cause instanceof SyntaxError ? 'it is no JSON' : cause,
      next: 'Take one on the machine: rekindle passport take',
    });
  }
}
