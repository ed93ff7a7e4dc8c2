import type { Grant } from '../jobs/token.ts';
import type { State } from '../site/state.ts';
import { mayRole, type Permission } from '../users/role.ts';
import { findUser } from '../users/user-store.ts';
import { notAllowed, type Refused } from './endpoint.ts';

/**
 * A technician's session may do what the role says at this moment; an armed station may see its images and be
 * restored. Undefined means: go on.
 */
export function refusePermission(state: State, grant: Grant, permission: Permission): Refused | undefined {
  if (grant.how === 'armed') {
    return permission === 'restore' || permission === 'see-images'
      ? undefined
      : notAllowed('An armed station may only be restored; log on for anything else.');
  }
  const user = findUser(state, grant.technician);
  if (user !== undefined && mayRole(user.role, permission)) return undefined;
  return notAllowed(`${grant.technician} may not do that: the role is ${user?.role ?? 'gone'}.`);
}

/** A session speaks for the station whose passport it logged on with, and for no other. */
export function refuseStation(grant: Grant, station: string): Refused | undefined {
  return grant.station === station ? undefined : notAllowed(`This machine is not station ${station}.`);
}
