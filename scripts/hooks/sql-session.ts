import { Connection, type ConnectionConfiguration, Request } from 'tedious';
import { RekindleError } from '#base/errors.ts';
import { formatSqlServerAddress, type SqlServerAddress } from './sql-server-address.ts';

export interface SqlLogin {
  readonly user: string;
  readonly password: string;
  /** A Windows account of this domain (NTLM); absent: a log-on of SQL Server itself. */
  readonly domain?: string;
}

export interface SqlSession extends AsyncDisposable {
  /** Runs one batch to its end; its rows by column name. */
  run(doing: string, sql: string): Promise<Record<string, unknown>[]>;
}

export interface SqlSessionRequest {
  readonly address: SqlServerAddress;
  readonly login: SqlLogin;
  /** Off only for servers that know no TLS of today: the whole session is readable on the wire then. */
  readonly encrypt: boolean;
}

const connectSeconds = 15;
/** Rolling back what was open in a database can take a while. */
const batchSeconds = 300;

/** @throws RekindleError `store-unreachable` (no connection), `usage` (log-on refused) */
export async function openSqlSession({ address, login, encrypt }: SqlSessionRequest): Promise<SqlSession> {
  const { at } = address;
  const configuration: ConnectionConfiguration = {
    server: address.host,
    authentication:
      login.domain === undefined
        ? { type: 'default', options: { userName: login.user, password: login.password } }
        : {
            type: 'ntlm',
            options: { userName: login.user, password: login.password, domain: login.domain },
          },
    options: {
      ...('port' in at ? { port: at.port } : { instanceName: at.instance }),
      database: 'master',
      appName: 'rekindle',
      encrypt,
      // Stations make their own certificates: nobody has signed them.
      trustServerCertificate: true,
      connectTimeout: connectSeconds * 1000,
      requestTimeout: batchSeconds * 1000,
      rowCollectionOnRequestCompletion: true,
    },
  };
  const connection = new Connection(configuration);
  const name = formatSqlServerAddress(address);
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) =>
      error === undefined ? resolve() : reject(connectFailure(name, login, error)),
    );
  });
  const ended = new Promise<void>((resolve) => connection.once('end', () => resolve()));
  // A connection that breaks fails the batch that is under way, which says so.
  connection.on('error', () => undefined);
  return {
    run: (doing, sql) => runBatch(connection, `${doing} on ${name}`, sql),
    async [Symbol.asyncDispose]() {
      connection.close();
      await ended;
    },
  };
}

function runBatch(connection: Connection, doing: string, sql: string): Promise<Record<string, unknown>[]> {
  return new Promise((resolve, reject) => {
    const rows: Record<string, unknown>[] = [];
    const request = new Request(sql, (error) => {
      if (error === null || error === undefined) return resolve(rows);
      reject(
        new RekindleError('unexpected', `${doing}: the batch did not end well`, {
          cause: error,
          next: 'Run it again: what is done already is left alone.',
        }),
      );
    });
    request.on('row', (columns: { metadata: { colName: string }; value: unknown }[]) => {
      rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
    });
    connection.execSqlBatch(request);
  });
}

function connectFailure(name: string, { user }: SqlLogin, cause: Error): RekindleError {
  if ('code' in cause && cause.code === 'ELOGIN') {
    return new RekindleError('usage', `Logging on to SQL Server ${name} as ${user}`, {
      cause,
      next: 'Check user and password; a Windows account needs --domain.',
    });
  }
  return new RekindleError('store-unreachable', `Connecting to SQL Server ${name}`, {
    cause,
    next: 'Check that the instance runs, that TCP/IP is enabled for it, and the station’s firewall (TCP port, UDP 1434).',
  });
}
