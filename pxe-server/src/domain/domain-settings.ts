import { readFile } from 'node:fs/promises';
import { RekindleError } from '#base/errors.ts';
import type { Directory } from '#contract/hook-kinds/directory.ts';
import { readPasswordFile, siteFile } from '../site/password-file.ts';

/** Who asks: a delegated account of the domain, never an administrator. */
export interface DirectoryCredentials {
  /** `svc-rejoin`. */
  readonly account: string;
  readonly password: string;
}

/** The domain of a station, ready to be asked. The password is as the file has it at this moment. */
export interface DomainSettings {
  /** DNS name, `lab.example`. */
  readonly domain: string;
  /** DNS names of domain controllers; their certificates have to carry them. */
  readonly controllers: readonly string[];
  /** Of the CA that signed those certificates: PEM. */
  readonly caCertificate: string;
  readonly credentials: DirectoryCredentials;
}

/** @throws RekindleError `usage`: CA certificate or password file is not usable */
export async function readDomainSettings(
  directory: Directory,
  siteFolder: string,
  /** Who asks instead of the site's account; default: the site's, with the password of its file. */
  credentials?: DirectoryCredentials,
): Promise<DomainSettings> {
  const { domain, controllers, ca } = directory;
  const caCertificate = await readCaCertificate(siteFile(ca, siteFolder));
  return {
    domain,
    controllers,
    caCertificate,
    credentials: credentials ?? (await readSiteCredentials(directory, siteFolder)),
  };
}

async function readSiteCredentials(
  { domain, account, passwordFile }: Directory,
  siteFolder: string,
): Promise<DirectoryCredentials> {
  const password = await readPasswordFile(`${account} of ${domain}`, siteFile(passwordFile, siteFolder));
  return { account: accountOnly(account), password };
}

/** `PLANT\\svc` and `svc@plant.example` are `svc`. */
export const accountOnly = (account: string): string => account.replace(/^[^\\]*\\|@.*$/g, '');

async function readCaCertificate(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new RekindleError('usage', `Reading the certificate of the domain's CA: ${file} cannot be read`, {
      cause,
      next: "Export the CA's certificate as Base64 (PEM) and name its file as directory.ca.",
    });
  }
}
