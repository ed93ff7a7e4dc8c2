import * as z from 'zod';

export const roleSchema = z.enum(['auditor', 'technician', 'image-operator', 'security-officer', 'admin']);
export type Role = z.infer<typeof roleSchema>;

/** What a person may ask for at a station. */
export type Permission = 'see-images' | 'restore' | 'enrol' | 'capture-while-enrolling' | 'capture';

const permissions: Readonly<Record<Role, readonly Permission[]>> = {
  auditor: ['see-images'],
  technician: ['see-images', 'restore', 'enrol', 'capture-while-enrolling'],
  'image-operator': ['see-images', 'restore', 'enrol', 'capture-while-enrolling', 'capture'],
  // Who manages keys, users or the service does not restore: that takes a second person.
  'security-officer': ['see-images'],
  admin: ['see-images'],
};

export function mayRole(role: Role, permission: Permission): boolean {
  return permissions[role].includes(permission);
}
