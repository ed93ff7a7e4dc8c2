import type { CleanupRule } from '#contract/sql-cleanup-rules.ts';
import { quoteText, runStatement } from './cleanup-statement.ts';

/** `list`: changes nothing. */
export type CleanupMode = 'apply' | 'list';

/** Whatever the collation of the instance: LIKE as name-pattern.ts has it, and names byte by byte. */
const likeCollation = 'COLLATE Latin1_General_CI_AS';
const exactCollation = 'COLLATE Latin1_General_BIN';

/**
 * The plan of plan-cleanup.ts as one T-SQL batch that decides on the station, where nobody can look before: the rules
 * as rows, one action a database, each in its own TRY. Valid for SQL Server 2008 R2. It may be run again: what is gone
 * is planned no more. Ends with lines of contract/sql-results.ts, and with an error when a database is still there.
 */
export function formatStationScript(rules: readonly CleanupRule[], mode: CleanupMode): string {
  return `SET NOCOUNT ON;
DECLARE @mode nvarchar(10), @id int, @name sysname, @state nvarchar(60), @action nvarchar(10), @outcome nvarchar(10), @statement nvarchar(max), @done nvarchar(max), @number int, @message nvarchar(2000), @failed int;
DECLARE @rules TABLE (priority int NOT NULL, state nvarchar(60) NOT NULL, name nvarchar(128) NOT NULL, action nvarchar(10) NOT NULL);
DECLARE @plan TABLE (id int NOT NULL, name sysname NOT NULL, state nvarchar(60) NOT NULL, action nvarchar(10) NOT NULL, outcome nvarchar(10) NULL, number int NULL, message nvarchar(2000) NULL);
SET @mode = N'${mode}';
IF ISNULL(IS_SRVROLEMEMBER(N'sysadmin'), 0) <> 1
BEGIN
  RAISERROR(N'The log-on of this station''s SYSTEM is no member of sysadmin: an administrator has to run the script.', 16, 1);
  RETURN;
END;
${rules.map(ruleRow).join('\n')}
INSERT INTO @plan (id, name, state, action)
SELECT d.database_id, d.name, d.state_desc,
  CASE
    WHEN d.database_id <= 4 OR d.is_distributor = 1 OR d.source_database_id IS NOT NULL THEN N'KEEP'
    WHEN r.action IN (N'DROP', N'DETACH') AND (d.is_published = 1 OR d.is_merge_published = 1 OR m.mirroring_guid IS NOT NULL OR EXISTS (SELECT 1 FROM sys.databases AS s WHERE s.source_database_id = d.database_id)) THEN N'REPORT'
    ELSE ISNULL(r.action, N'KEEP')
  END
FROM sys.databases AS d
LEFT JOIN sys.database_mirroring AS m ON m.database_id = d.database_id
OUTER APPLY (SELECT TOP (1) p.action FROM @rules AS p WHERE d.state_desc ${likeCollation} LIKE p.state ${likeCollation} AND d.name ${likeCollation} LIKE p.name ${likeCollation} ORDER BY p.priority) AS r;
UPDATE @plan SET outcome = CASE WHEN action = N'KEEP' THEN N'kept' ELSE N'listed' END;
SELECT @id = MIN(id) FROM @plan WHERE action IN (N'DROP', N'DETACH');
WHILE @id IS NOT NULL AND @mode = N'apply'
BEGIN
  SELECT @name = name, @state = state, @action = action, @outcome = N'failed', @number = 0, @message = NULL, @done = N'' FROM @plan WHERE id = @id;
  IF DB_ID(@name) IS NULL SET @outcome = N'absent';
  ELSE IF NOT EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID(@name) AND database_id = @id AND state_desc = @state) SET @outcome = N'changed';
  ELSE
  BEGIN
    BEGIN TRY
      IF @action = N'DROP'
      BEGIN
${indent(runStatement('DROP DATABASE {name}'))}
      END;
      ELSE
      BEGIN
        IF @state = N'SUSPECT'
        BEGIN
${indent(runStatement('ALTER DATABASE {name} SET EMERGENCY'))}
        END;
        IF @state <> N'OFFLINE'
        BEGIN
${indent(runStatement('ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE'))}
        END;
        EXEC master.dbo.sp_detach_db @dbname = @name, @skipchecks = N'true';
      END;
      IF DB_ID(@name) IS NULL SET @outcome = N'done';
    END TRY
    BEGIN CATCH
      SET @number = ERROR_NUMBER();
      SET @message = LEFT(ERROR_MESSAGE(), 2000);
      IF EXISTS (SELECT 1 FROM sys.databases WHERE database_id = DB_ID(@name) AND user_access_desc = N'SINGLE_USER' AND state_desc = N'ONLINE')
      BEGIN
        SET @statement = N'ALTER DATABASE ' + QUOTENAME(@name) + N' SET MULTI_USER';
        EXEC sp_executesql @statement;
      END;
    END CATCH;
  END;
  UPDATE @plan SET outcome = @outcome, number = @number, message = @message WHERE id = @id;
  SELECT @id = MIN(id) FROM @plan WHERE id > @id AND action IN (N'DROP', N'DETACH');
END;
SELECT N'message ' + REPLACE(REPLACE(message, NCHAR(13), N' '), NCHAR(10), N' ') AS [line] FROM @plan WHERE message IS NOT NULL ORDER BY id;
SELECT N'database ' + action + N' ' + outcome + N' ' + CAST(ISNULL(number, 0) AS nvarchar(12)) + N' ' +
  CASE WHEN name LIKE N'%[^ -~]%' ${exactCollation} OR name LIKE N'0x%' OR name LIKE N' %' OR name LIKE N'% ' THEN N'0x' + CONVERT(nvarchar(1000), CONVERT(varbinary(256), name), 2) ELSE name END AS [line]
FROM @plan ORDER BY id;
SELECT @failed = COUNT(*) FROM @plan WHERE outcome IN (N'failed', N'changed');
IF @failed > 0 RAISERROR(N'%d databases are still there.', 16, 1, @failed);
`;
}

const ruleRow = ({ priority, state, name, action }: CleanupRule): string =>
  `INSERT INTO @rules (priority, state, name, action) VALUES (${priority}, N'${quoteText(state)}', N'${quoteText(name)}', N'${action}');`;

const indent = (lines: readonly string[]): string => lines.map((line) => `          ${line}`).join('\n');
