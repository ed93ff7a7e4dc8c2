import * as z from 'zod';
import { parseNfsLocation, parseSmbLocation } from './share-location.ts';

/** The section `share` of `rekindle.yaml`. */

/** Text that becomes a mount option: nothing that could end it. */
const optionText = z
  .string()
  .regex(/^[^,"\\/\p{Cc}]+$/u, 'no comma, quote, slash, backslash or control character');

export const shareSchema = z
  .strictObject({
    smb: z
      .string()
      .refine((text) => parseSmbLocation(text) !== undefined, '//server/share or //server/share/folder')
      .optional()
      .describe(
        'Stations reach the image store on this SMB 3.1.1 share, `//server/share[/folder]`, instead of over HTTPS.',
      ),
    user: optionText.min(1).max(104).optional().describe('SMB: the account that stations use.'),
    domain: optionText.min(1).max(255).optional().describe("SMB: that account's domain, where it has one."),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'SMB: file with the password, mode 0600; relative to the site folder unless absolute. Handed to authorised jobs only.',
      ),
    seal: z.boolean().default(true).describe('SMB: encrypt everything; a server that cannot is refused.'),
    nfs: z
      .string()
      .refine((text) => parseNfsLocation(text) !== undefined, 'server:/export')
      .optional()
      .describe(
        'Stations reach the image store on this NFS 4.2 export, `server:/export`, instead of over HTTPS.',
      ),
  })
  .superRefine(({ smb, nfs, user, domain, passwordFile }, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    if ((smb === undefined) === (nfs === undefined)) refuse('smb', 'one of `smb` and `nfs`, and not both');
    if (smb !== undefined && user === undefined) refuse('user', 'is required for an SMB share');
    if (smb !== undefined && passwordFile === undefined)
      refuse('passwordFile', 'is required for an SMB share');
    if (smb !== undefined) return;
    for (const [key, value] of Object.entries({ user, domain, passwordFile })) {
      if (value !== undefined)
        refuse(key, 'only means something for an SMB share; NFS knows stations by address');
    }
  });
export type ShareConfiguration = z.infer<typeof shareSchema>;

/** What the runtime has to be able to mount; null: images come over HTTPS. */
export function shareKind(share: ShareConfiguration | undefined): 'smb' | 'nfs' | null {
  if (share === undefined) return null;
  return share.smb === undefined ? 'nfs' : 'smb';
}
