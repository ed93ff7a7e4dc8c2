import { RekindleError } from '#base/errors.ts';

export interface SqlServerAddress {
  readonly host: string;
  /** A port, or the name of an instance, which SQL Server Browser (UDP 1434) turns into one. */
  readonly at: { readonly port: number } | { readonly instance: string };
}

/** `HOST`, `HOST,1433` or `HOST\WINCC`, as SQL Server's own tools write it. @throws RekindleError `usage` */
export function parseSqlServerAddress(text: string): SqlServerAddress {
  const [, host, port, instance] = /^([^\s,\\]+)(?:,(\d{1,5})|\\([A-Za-z0-9_$#-]{1,16}))?$/.exec(text) ?? [];
  if (host === undefined || (port !== undefined && (Number(port) < 1 || Number(port) > 65535))) {
    throw new RekindleError('usage', `"${text}" is no address of an SQL Server`, {
      next: 'Write HOST\\INSTANCE or HOST,PORT, e.g. OS-SRV-1A\\WINCC.',
    });
  }
  return { host, at: instance === undefined ? { port: Number(port ?? 1433) } : { instance } };
}

export function formatSqlServerAddress({ host, at }: SqlServerAddress): string {
  return 'port' in at ? `${host},${at.port}` : `${host}\\${at.instance}`;
}
