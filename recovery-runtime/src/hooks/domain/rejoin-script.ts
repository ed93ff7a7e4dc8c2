import { offlineJoinFile, oneTimePasswordFile } from '#contract/domain-files.ts';
import { stepExitCodes } from '#contract/first-boot.ts';

/**
 * What a station does at its first boot to be trusted again. The secret is used up before anything else can fail, and
 * the machine password is changed at once: whoever saw the secret on its way has nothing then. Each may be run again.
 */
export const linuxRejoinFile = 'domain-rejoin.sh';
export const windowsRejoinFile = 'domain-rejoin.cmd';

const { retry, restartRetry } = stepExitCodes;

/** For a member by Samba. `net` with `-P` proves itself to Kerberos with the new password. */
export const linuxRejoinScript = `#!/bin/sh
# Takes over the machine password that the server made, changes it, and proves it.
set -u
use_up() { dd if=/dev/zero of="$1" bs=4096 count=2 conv=notrunc 2>/dev/null; sync; rm -f "$1"; }
command -v net >/dev/null || { echo 'There is no net: Samba is not installed.'; exit 1; }
if [ -s ${offlineJoinFile} ]; then
  net offlinejoin requestodj loadfile=${offlineJoinFile} || exit 1
  use_up ${offlineJoinFile}
fi
if [ -s ${oneTimePasswordFile} ]; then
  # net asks for it, and reads no answer from a file.
  cat ${oneTimePasswordFile} | net changesecretpw -f || exit 1
  use_up ${oneTimePasswordFile}
fi
net ads changetrustpw || { echo 'No domain controller has changed the machine password yet.'; exit ${retry}; }
net ads kerberos kinit -P || { echo 'Kerberos does not know the new machine password yet.'; exit ${retry}; }
net ads testjoin || exit ${retry}
# What was started with the old password goes on with it.
if command -v systemctl >/dev/null; then systemctl try-restart winbind.service smbd.service 2>/dev/null; fi
exit 0
`;

/**
 * djoin takes the blob in while Windows runs and needs a restart; nltest then changes the machine password and asks
 * the secure channel. The names of the tools are those of Windows 7 and Server 2008 R2 and later. Killed between djoin
 * and `del`, it takes the same blob in again.
 */
export const windowsRejoinScript = [
  '@echo off',
  `if not exist ${offlineJoinFile} goto verify`,
  `call djoin /requestodj /loadfile "%CD%\\${offlineJoinFile}" /windowspath %SystemRoot% /localos`,
  'if errorlevel 1 exit /b 1',
  // Overwritten in place where fsutil is (an NTFS of Windows'), deleted in any case.
  `for %%f in (${offlineJoinFile}) do fsutil file setzerodata offset=0 length=%%~zf %%f >nul 2>&1`,
  `del /f /q ${offlineJoinFile}`,
  `exit /b ${restartRetry}`,
  ':verify',
  'call nltest /sc_change_pwd:%1',
  `if errorlevel 1 exit /b ${retry}`,
  'call nltest /sc_verify:%1',
  `if errorlevel 1 exit /b ${retry}`,
  'exit /b 0',
  '',
].join('\r\n');
