import type { PlannedDatabase } from './plan-cleanup.ts';

/** Columns of the one row that each batch answers with. */
export interface StatementResult {
  readonly name: string;
  readonly action: string;
  /** `done`, `absent` (it was gone already), `changed` (not in the planned state any more), `failed`. */
  readonly outcome: string;
  readonly statement: string;
  readonly errorNumber: number | null;
  readonly errorMessage: string | null;
}

/**
 * One batch for one database that is to be dropped or detached, valid for SQL Server 2008 R2. It looks again
 * whether the database is still what was planned, so it can be run twice, and answers with one row whatever
 * happens. Everything that names the database goes through a parameter or QUOTENAME; every variable is spelled
 * in one way, for instances with a collation that tells capital letters apart.
 */
export function formatCleanupBatch({
  database,
  action,
}: PlannedDatabase & { action: 'DROP' | 'DETACH' }): string {
  const detach = action === 'DETACH';
  return `SET NOCOUNT ON;
DECLARE @name sysname, @action nvarchar(10), @state nvarchar(60), @outcome nvarchar(10), @statement nvarchar(max), @done nvarchar(max), @number int, @message nvarchar(4000);
SET @name = N'${quoteText(database.name)}';
SET @action = N'${action}';
SET @state = N'${quoteText(database.state)}';
SET @outcome = N'failed';
SET @done = N'';
IF DB_ID(@name) IS NULL
  SET @outcome = N'absent';
ELSE IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID(@name) AND database_id > 4 AND is_distributor = 0 AND source_database_id IS NULL AND state_desc = @state)
  SET @outcome = N'changed';
ELSE
BEGIN
  BEGIN TRY
${(detach ? detachSteps(database.state) : dropSteps()).map((line) => `    ${line}`).join('\n')}
    IF DB_ID(@name) IS NULL SET @outcome = N'done';
  END TRY
  BEGIN CATCH
    SET @number = ERROR_NUMBER();
    SET @message = ERROR_MESSAGE();
    IF DB_ID(@name) IS NOT NULL AND EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID(@name) AND user_access_desc = N'SINGLE_USER' AND state_desc = N'ONLINE')
    BEGIN
      SET @statement = N'ALTER DATABASE ' + QUOTENAME(@name) + N' SET MULTI_USER';
      EXEC sp_executesql @statement;
    END
  END CATCH
END
SELECT @name AS [name], @action AS [action], @outcome AS [outcome], @done AS [statement], @number AS [errorNumber], @message AS [errorMessage];
`;
}

/** Lines that run one statement about `@name`, and note it in `@done`. `{name}` stands for the name. */
export function runStatement(text: string): string[] {
  return [
    `SET @statement = N'${text.split('{name}').join("' + QUOTENAME(@name) + N'")}';`,
    "SET @done = @done + @statement + N'; ';",
    'EXEC sp_executesql @statement;',
  ];
}

/** Detaching needs the database for itself; a suspect one has to be made readable first (sp_detach_db). */
function detachSteps(state: string): string[] {
  return [
    ...(state === 'SUSPECT' ? runStatement('ALTER DATABASE {name} SET EMERGENCY') : []),
    ...(state === 'OFFLINE'
      ? []
      : runStatement('ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE')),
    "SET @done = @done + N'sp_detach_db ' + QUOTENAME(@name);",
    "EXEC master.dbo.sp_detach_db @dbname = @name, @skipchecks = N'true';",
  ];
}

function dropSteps(): string[] {
  return runStatement('DROP DATABASE {name}');
}

export function quoteText(text: string): string {
  return text.replaceAll("'", "''");
}
