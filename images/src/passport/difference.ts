import * as z from 'zod';

/** One named difference between two hardware passports; the result of `comparePassports`. */
export const differenceSchema = z.strictObject({
  /** What differs, e.g. "board serial", "network card 0000:00:02.0", "disk 0000:00:1f.2/ata1". */
  field: z.string(),
  severity: z.enum(['fatal', 'replaced-part', 'note']),
  expected: z.string(),
  found: z.string(),
  /** A sentence for the technician. */
  sentence: z.string(),
});
export type Difference = z.infer<typeof differenceSchema>;
