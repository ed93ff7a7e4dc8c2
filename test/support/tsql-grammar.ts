import { createRequire } from 'node:module';

/** The part of the package antlr4ts-sql that is used here; its own types want another TypeScript. */
interface SqlGrammar {
  getTokens(sql: string, errorListeners: readonly object[]): object;
  getParser(tokens: object, errorListeners: readonly object[]): { tsql_file(): unknown };
}
const { antlr4tsSQL, SQLDialect } = createRequire(import.meta.url)('antlr4ts-sql') as {
  antlr4tsSQL: new (dialect: unknown) => SqlGrammar;
  SQLDialect: { TSQL: unknown };
};

/** Syntax errors that a T-SQL grammar written by others finds; empty for valid T-SQL. */
export function tsqlErrors(sql: string): string[] {
  const errors: string[] = [];
  const listener = {
    syntaxError: (_recognizer: unknown, _symbol: unknown, line: number, column: number, message: string) => {
      errors.push(`${line}:${column} ${message}`);
    },
  };
  // The grammar knows key words in capital letters only. Texts in quotes do not matter to syntax.
  const grammar = new antlr4tsSQL(SQLDialect.TSQL);
  grammar.getParser(grammar.getTokens(sql.toUpperCase(), [listener]), [listener]).tsql_file();
  return errors;
}
