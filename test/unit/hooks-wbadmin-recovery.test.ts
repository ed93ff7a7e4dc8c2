import { expect, test } from 'vitest';
import { recoverByWbadmin, wbadminCommand } from '#runtime/hooks/domain/wbadmin-recovery.ts';

test('the target stands in the batch file as it is written, in quotes, whatever signs it has', () => {
  const target = "\\\\server\\hidden$$\\of $'all";
  const recovery = { version: '11/20/2026-02:00', target, copied: undefined };
  const [line, ...others] = recoverByWbadmin(recovery).filter((each) => each.includes('systemstaterecovery'));
  expect(others).toEqual([]);
  expect(line).toBe(
    `call wbadmin start systemstaterecovery -version:11/20/2026-02:00 "-backupTarget:${target}" -machine:%COMPUTERNAME% -quiet`,
  );
  expect(wbadminCommand(recovery)).toContain(` -backupTarget:${target} `);
});
