import * as z from 'zod';

/** What the instance knows of one database (`sys.databases`, `sys.database_mirroring`, `sys.master_files`). */
export const databaseFactsSchema = z.strictObject({
  name: z.string().min(1).max(128),
  /** 1 to 4: master, tempdb, model, msdb. */
  databaseId: z.int().positive(),
  /** `ONLINE`, `RESTORING`, `RECOVERING`, `RECOVERY_PENDING`, `SUSPECT`, `EMERGENCY`, `OFFLINE`, … */
  state: z.string(),
  distributor: z.boolean(),
  /** A snapshot of another database. */
  snapshot: z.boolean(),
  /** Another database is a snapshot of this one. */
  hasSnapshots: z.boolean(),
  mirrored: z.boolean(),
  /** Published or merge-published. */
  published: z.boolean(),
  files: z.array(z.string()),
});
export type DatabaseFacts = z.infer<typeof databaseFactsSchema>;

/**
 * One row a file, ordered by database: valid for SQL Server 2008 R2 and later, and changes nothing. A database
 * without files comes once, with an empty path.
 */
export const factsQuery = `SET NOCOUNT ON;
SELECT
  d.name AS [name],
  d.database_id AS [databaseId],
  d.state_desc AS [state],
  CAST(d.is_distributor AS int) AS [distributor],
  CASE WHEN d.source_database_id IS NULL THEN 0 ELSE 1 END AS [snapshot],
  CASE WHEN EXISTS (SELECT 1 FROM sys.databases AS s WHERE s.source_database_id = d.database_id) THEN 1 ELSE 0 END AS [hasSnapshots],
  CASE WHEN m.mirroring_guid IS NULL THEN 0 ELSE 1 END AS [mirrored],
  CASE WHEN d.is_published = 1 OR d.is_merge_published = 1 THEN 1 ELSE 0 END AS [published],
  ISNULL(f.physical_name, N'') AS [file]
FROM sys.databases AS d
LEFT JOIN sys.database_mirroring AS m ON m.database_id = d.database_id
LEFT JOIN sys.master_files AS f ON f.database_id = d.database_id
ORDER BY d.database_id, f.file_id;
`;

const rowSchema = z.object({
  name: z.string(),
  databaseId: z.number(),
  state: z.string(),
  distributor: z.number(),
  snapshot: z.number(),
  hasSnapshots: z.number(),
  mirrored: z.number(),
  published: z.number(),
  file: z.string(),
});

/** Rows of `factsQuery`, by column name. @throws z.ZodError */
export function readFacts(rows: readonly unknown[]): DatabaseFacts[] {
  const found = new Map<number, DatabaseFacts>();
  for (const row of rows.map((each) => rowSchema.parse(each))) {
    const { file, ...facts } = row;
    const known = found.get(row.databaseId);
    if (known !== undefined) known.files.push(file);
    else {
      const flag = (value: number): boolean => value !== 0;
      found.set(
        row.databaseId,
        databaseFactsSchema.parse({
          ...facts,
          distributor: flag(facts.distributor),
          snapshot: flag(facts.snapshot),
          hasSnapshots: flag(facts.hasSnapshots),
          mirrored: flag(facts.mirrored),
          published: flag(facts.published),
          files: file === '' ? [] : [file],
        }),
      );
    }
  }
  return [...found.values()];
}
