import { Command, Option } from 'commander';
import { roleSchema } from '#pxe-server/users/role.ts';
import { addUser } from '#pxe-server/users/user-store.ts';
import { newPassword } from '../ask-password.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';

interface AddOptions extends SiteOption {
  readonly role: string;
  readonly passwordFile?: string;
}

export function userCommand(): Command {
  const command = new Command('user').description('people who may log on at a station');
  withSite(command.command('add'))
    .description('add a user; the password is asked for without echo')
    .argument('<name>')
    .addOption(
      new Option('--role <role>', 'what the user may do').choices(roleSchema.options).makeOptionMandatory(),
    )
    .option('--password-file <file>', 'read the password from the first line of this file')
    .action(async (name: string, options: AddOptions) => {
      const { state } = await openSite(options);
      const role = roleSchema.parse(options.role);
      await addUser(state, { name, role, password: await newPassword(name, options.passwordFile) });
      console.log(`User ${name} may log on as ${role}.`);
    });
  return command;
}
