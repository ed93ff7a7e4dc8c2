/** The one object of the directory that decides whether this controller replicates SYSVOL by DFSR. */
export interface SysvolSubscription {
  isEnabled(): boolean;
  /** @throws when the directory does not answer, or refuses */
  setEnabled(enabled: boolean): void;
}

/**
 * The subscription in this controller's own directory, by ADSI: SYSTEM of a controller may write it. Its place is
 * that of KB 2218556, below the computer account that the directory itself names (`serverReference`).
 */
export function openSubscription(): SysvolSubscription {
  function find(): AdsObject {
    var server = String(GetObject('LDAP://localhost/RootDSE').Get('serverName'));
    var computer = String(GetObject(pathOf(server)).Get('serverReference'));
    var below = 'CN=SYSVOL Subscription,CN=Domain System Volume,CN=DFSR-LocalSettings';
    return GetObject(pathOf(`${below},${computer}`));
  }
  return {
    isEnabled: () => find().Get('msDFSR-Enabled') === true,
    setEnabled: (enabled) => {
      var subscription = find();
      subscription.Put('msDFSR-Enabled', enabled);
      subscription.SetInfo();
    },
  };
}

/** A slash ends a name in ADSI's paths unless it is escaped. */
function pathOf(name: string): string {
  return `LDAP://localhost/${name.replace(/\//g, '\\/')}`;
}
