import { Command, Option } from 'commander';
import { RekindleError } from '#base/errors.ts';
import { roleSchema } from '#pxe-server/users/role.ts';
import {
  addUser,
  changePassword,
  checkNewUser,
  findUser,
  listUsers,
  removeUser,
} from '#pxe-server/users/user-store.ts';
import { newPassword } from '../ask-password.ts';
import { openSite, type SiteOption, withSite } from '../site-option.ts';

interface PasswordOptions extends SiteOption {
  readonly passwordFile?: string;
}

interface AddOptions extends PasswordOptions {
  readonly role: string;
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
      checkNewUser(state, name);
      await addUser(state, { name, role, password: await newPassword(name, options.passwordFile) });
      console.log(`User ${name} may log on as ${role}.`);
    });
  withSite(command.command('list'))
    .description('all users and their roles')
    .option('--json', 'as JSON')
    .action(async (options: SiteOption & { readonly json?: boolean }) => {
      const users = listUsers((await openSite(options)).state);
      if (options.json === true) console.log(JSON.stringify(users));
      else for (const { name, role } of users) console.log(`${name.padEnd(20)} ${role}`);
      if (options.json !== true && users.length === 0) {
        console.log('There is no user yet. Next: rekindle user add NAME --role technician');
      }
    });
  withSite(command.command('password'))
    .description('give a user a new password, e.g. instead of a forgotten one')
    .argument('<name>')
    .option('--password-file <file>', 'read the password from the first line of this file')
    .action(async (name: string, options: PasswordOptions) => {
      const { state } = await openSite(options);
      assertUser(findUser(state, name) !== undefined, name);
      await changePassword(state, name, await newPassword(name, options.passwordFile));
      console.log(`User ${name} has a new password. Whoever is logged on as ${name} has to log on again.`);
    });
  withSite(command.command('remove'))
    .description('take the log-on away from a user; what the records say of this user stays')
    .argument('<name>')
    .action(async (name: string, options: SiteOption) => {
      assertUser(removeUser((await openSite(options)).state, name), name);
      console.log(`User ${name} may not log on any more.`);
    });
  return command;
}

function assertUser(isThere: boolean, name: string): void {
  if (isThere) return;
  throw new RekindleError('usage', `There is no user ${name}`, {
    next: '`rekindle user list` shows all users.',
  });
}
