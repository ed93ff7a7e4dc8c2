import { chmodSync, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { RekindleError } from '#base/errors.ts';

/**
 * The site's state in SQLite. `rekindle serve` and the other verbs open the same file; write-ahead logging
 * and short transactions let them, and nothing is cached, so that a change counts at once.
 */
export type State = DatabaseSync;

/** How long a statement waits for another process that writes. */
export const busyTimeoutMs = 5000;

/** Step n brings a state of version n to n + 1. Never edited after a release, only added to. */
const migrations: readonly string[] = [
  `
  CREATE TABLE users (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE lock_outs (
    subject TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_failure_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE stations (
    name TEXT PRIMARY KEY COLLATE NOCASE,
    passport TEXT NOT NULL,
    address TEXT UNIQUE,
    loader_driver TEXT,
    computer_name TEXT NOT NULL,
    station_role TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL,
    enrolled_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE station_macs (
    mac TEXT PRIMARY KEY,
    station TEXT NOT NULL COLLATE NOCASE REFERENCES stations(name) ON DELETE CASCADE ON UPDATE CASCADE
  ) STRICT;
  CREATE TABLE armed (
    station TEXT PRIMARY KEY COLLATE NOCASE REFERENCES stations(name) ON DELETE CASCADE,
    image TEXT NOT NULL,
    until INTEGER NOT NULL,
    by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE enrolment_window (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    open_until INTEGER NOT NULL,
    opened_by TEXT NOT NULL,
    station TEXT
  ) STRICT;
  CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    station TEXT NOT NULL,
    image TEXT,
    manifest_sha256 TEXT,
    how TEXT NOT NULL,
    technician TEXT NOT NULL,
    machine TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    run_id TEXT,
    outcome TEXT
  ) STRICT;
  CREATE TABLE job_events (
    job TEXT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (job, number)
  ) STRICT;
  CREATE TABLE tokens (
    hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    technician TEXT NOT NULL,
    how TEXT NOT NULL,
    station TEXT,
    job TEXT,
    expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    machine TEXT NOT NULL,
    stage TEXT NOT NULL,
    sentence TEXT NOT NULL
  ) STRICT;
  CREATE INDEX journal_by_machine ON journal (machine, id);
  `,
  'ALTER TABLE stations ADD COLUMN terminal_bus INTEGER NOT NULL DEFAULT 0;',
  `
  CREATE TABLE leases (
    address TEXT PRIMARY KEY,
    mac TEXT NOT NULL,
    until INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE dhcp_servers (
    address TEXT PRIMARY KEY,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    how TEXT NOT NULL
  ) STRICT;
  `,
  `
  ALTER TABLE stations ADD COLUMN network TEXT NOT NULL DEFAULT '{}';
  CREATE TABLE sightings (
    station TEXT PRIMARY KEY COLLATE NOCASE REFERENCES stations(name) ON DELETE CASCADE ON UPDATE CASCADE,
    seen_at INTEGER NOT NULL,
    passport TEXT NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  `,
  'ALTER TABLE enrolment_window ADD COLUMN approved TEXT;',
  `
  ALTER TABLE stations RENAME COLUMN loader_driver TO loader;
  UPDATE stations SET loader = CASE loader WHEN 'native' THEN 'ipxe-native' WHEN 'firmware' THEN 'ipxe' END;
  `,
  `
  CREATE TABLE job_hooks (
    job TEXT PRIMARY KEY REFERENCES jobs(id) ON DELETE CASCADE,
    plan TEXT NOT NULL,
    records TEXT NOT NULL,
    material_given INTEGER NOT NULL DEFAULT 0,
    first_boot_open INTEGER NOT NULL DEFAULT 0,
    first_boot_sequence INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  `,
  'ALTER TABLE armed ADD COLUMN accepts_replaced INTEGER NOT NULL DEFAULT 0;',
  // Nobody reads these any more. The empty table stays: a service that still runs an older version writes to it, and
  // would refuse the events of a running restore without it.
  'DELETE FROM job_events;',
  `
  CREATE TABLE loader_tries (
    mac TEXT NOT NULL,
    firmware TEXT NOT NULL,
    loader TEXT NOT NULL,
    fetched_at INTEGER NOT NULL,
    heard_at INTEGER,
    PRIMARY KEY (mac, firmware)
  ) STRICT, WITHOUT ROWID;
  `,
  // Reports that an older version left open are among them; those that are closed lose the mark at the next start.
  `
  ALTER TABLE job_hooks ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
  UPDATE job_hooks SET unconfirmed = 1 WHERE first_boot_open = 0 AND first_boot_sequence > 0;
  `,
];

/**
 * Opens the state and brings its tables up to date.
 * @throws RekindleError `usage`: no site folder there, not SQLite, or written by a newer Rekindle
 */
export function openState(file: string, options: { readonly create?: boolean } = {}): State {
  if (options.create !== true && file !== ':memory:' && !existsSync(file)) {
    throw new RekindleError('usage', `There is no site state at ${file}`, {
      next: 'Make a site folder with `rekindle init`, or name yours with --site.',
    });
  }
  let state: State | undefined;
  try {
    state = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: busyTimeoutMs });
    // It holds password hashes.
    if (file !== ':memory:') chmodSync(file, 0o600);
    // A power cut may take the last moment with it, never the order of things; a flush for every line of the
    // journal would hold up DHCP. Images and reports are files of their own, flushed one by one.
    state.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    migrate(state, file);
    return state;
  } catch (cause) {
    state?.close();
    if (cause instanceof RekindleError) throw cause;
    throw new RekindleError('usage', `The site state ${file} cannot be opened`, {
      cause,
      next: isFull(cause, dirname(file))
        ? 'Its file system is full: make room there (df shows how much is free), then start again.'
        : 'Run it as root (sudo); else check its owner and mode, or put back the last copy of the site folder.',
    });
  }
}

/**
 * SQLite calls it a disk I/O error when not even its index of 32 KiB has room, and that is not said of other failures:
 * what is free for users is little for root too, who has a reserve beyond it.
 */
function isFull(error: unknown, folder: string): boolean {
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
  if (code !== sqliteIoError && code !== sqliteFull) return false;
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < 65_536;
  } catch {
    return false;
  }
}

/** The low byte of SQLite's extended result codes (sqlite3.h). */
const [sqliteIoError, sqliteFull] = [10, 13];

function migrate(state: State, file: string): void {
  inTransaction(state, () => {
    const version = Number(state.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > migrations.length) {
      throw new RekindleError('usage', `The site state ${file} was written by a newer Rekindle`, {
        next: 'Use that version or a newer one.',
      });
    }
    for (const step of migrations.slice(version)) state.exec(step);
    state.exec(`PRAGMA user_version = ${migrations.length}`);
  });
}

const statements = new WeakMap<State, Map<string, StatementSync>>();

/** A statement that is asked for with every packet: compiled once for each state. */
export function prepared(state: State, sql: string): StatementSync {
  const known = statements.get(state) ?? new Map<string, StatementSync>();
  statements.set(state, known);
  const statement = known.get(sql) ?? state.prepare(sql);
  known.set(sql, statement);
  return statement;
}

/** Like `inTransaction`, and on the disk before it comes back: for what somebody is told to rely on. */
export function inDurableTransaction<T>(state: State, work: () => T): T {
  state.exec('PRAGMA synchronous = FULL');
  try {
    return inTransaction(state, work);
  } finally {
    state.exec('PRAGMA synchronous = NORMAL');
  }
}

/** All or nothing, also against other processes: the write lock is taken at the start. */
export function inTransaction<T>(state: State, work: () => T): T {
  state.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    state.exec('COMMIT');
    return result;
  } catch (error) {
    if (state.isTransaction) state.exec('ROLLBACK');
    throw error;
  }
}
