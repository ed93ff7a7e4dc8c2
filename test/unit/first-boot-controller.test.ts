import vm from 'node:vm';
import { parse } from 'acorn';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleAgent } from '#scripts/runtime/first-boot-files.ts';
import { controllerParts } from '#test/support/controller-program.ts';
import { makeTemporaryFolder } from '#test/support/restore-demo-disk.ts';

/**
 * The controller's first-boot program, as far as it needs no Windows. The directory behind ADSI is a stand-in: it proves
 * which objects are asked for and what is written to them, and nothing of Microsoft's.
 */

const folder = makeTemporaryFolder();
afterAll(() => folder[Symbol.dispose]());

interface Parts {
  openSubscription(): { isEnabled(): boolean; setEnabled(enabled: boolean): void };
  parseEvent(xml: string): { record: number; at: string; guids: string[] };
}
const written: unknown[] = [];
const objects: Record<string, Record<string, unknown>> = {
  'LDAP://localhost/RootDSE': { serverName: 'CN=DC-1,CN=Servers,CN=Site,CN=Sites,CN=Configuration' },
  'LDAP://localhost/CN=DC-1,CN=Servers,CN=Site,CN=Sites,CN=Configuration': {
    serverReference: 'CN=DC-1,OU=A/B,OU=Domain Controllers,DC=plant,DC=example',
  },
};
const place =
  'LDAP://localhost/CN=SYSVOL Subscription,CN=Domain System Volume,CN=DFSR-LocalSettings,CN=DC-1,OU=A\\/B,OU=Domain Controllers,DC=plant,DC=example';
objects[place] = { 'msDFSR-Enabled': true };
let parts: Parts;

beforeAll(async () => {
  const context: { parts?: Parts } & Record<string, unknown> = {
    WScript: { ScriptFullName: 'C:\\work\\x.js' },
    ActiveXObject: class {
      ExpandEnvironmentStrings(text: string): string {
        return text;
      }
    },
    GetObject(path: string) {
      const object = objects[path];
      if (object === undefined) throw new Error(`no object ${path}`);
      const changed: Record<string, unknown> = {};
      return {
        Get: (name: string) => object[name],
        Put(name: string, value: unknown) {
          changed[name] = value;
        },
        SetInfo() {
          Object.assign(object, changed);
          written.push([path, changed]);
        },
      };
    },
  };
  vm.runInNewContext(await controllerParts(folder.path), context);
  if (context.parts === undefined) throw new Error('it left nothing');
  parts = context.parts;
});

test('it is third-edition JavaScript in ASCII', async () => {
  const program = await bundleAgent('controller/main.ts');
  parse(program, { ecmaVersion: 3, allowReserved: 'never' });
  expect(program.replace(/[\r\n\t]/g, ' ')).toMatch(/^[ -~]+$/);
  expect(program).not.toMatch(
    /\.(trim|forEach|map|filter|bind|toISOString|keys|isArray)\(|\bJSON\.|Date\.now/,
  );
});

test('the subscription is found by the directory’s own names, and written as KB 2218556 has it', () => {
  const subscription = parts.openSubscription();
  expect(subscription.isEnabled()).toBe(true);
  subscription.setEnabled(false);
  expect(subscription.isEnabled()).toBe(false);
  subscription.setEnabled(true);
  expect(written).toEqual([
    [place, { 'msDFSR-Enabled': false }],
    [place, { 'msDFSR-Enabled': true }],
  ]);
});

test('an event’s place in the log, its time and the ids of its own data; no event is record 0', () => {
  const [old, fresh] = ['1fe5e509-f073-4334-b0e3-f43ed96d70e7', '33221100-5544-7766-8899-aabbccddeeff'];
  const provider = "Guid='{0e8478c5-3605-4e8c-8497-1e730c959516}'";
  const head = `<System><Provider Name='NTDS' ${provider}/><TimeCreated SystemTime='2026-11-20T02:00:00.1Z'/>`;
  const tail = `<EventRecordID>4711</EventRecordID></System>`;
  const data = `<EventData><Data>${old}</Data><Data>${fresh}</Data><Data>12345</Data></EventData>`;
  expect(parts.parseEvent(`<Event>${head}${tail}${data}</Event>\r\n`)).toEqual({
    record: 4711,
    at: '2026-11-20T02:00:00.1Z',
    guids: [old.toUpperCase(), fresh.toUpperCase()],
  });
  expect(parts.parseEvent(`<Event>${head}${tail}</Event>`).guids).toEqual([]);
  expect(parts.parseEvent('').record).toBe(0);
});
