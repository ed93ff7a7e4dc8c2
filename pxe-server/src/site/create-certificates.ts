import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { serverName } from '#contract/api.ts';
import { runOpenssl } from './run-openssl.ts';
import type { SitePaths } from './site-paths.ts';

/**
 * Site CA and server certificate, ECDSA P-256. The runtime trusts this CA and no other, for the name
 * `rekindle` whatever the address is.
 *
 * The dates span a century on purpose: a station that lay in a drawer wakes up with its clock in 2001, and
 * who replaces the keys replaces the CA inside the runtime.
 */
const validFrom = '20000101000000Z';
const validUntil = '20991231235959Z';

const configuration = (addresses: readonly string[]) => `
[ca]
default_ca = site
[site]
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
policy = policy
unique_subject = no
[policy]
commonName = supplied
[req]
distinguished_name = subject
prompt = no
[subject]
CN = ignored
[site_ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${[`DNS:${serverName}`, ...addresses.map((address) => `IP:${address}`)].join(', ')}
`;

/** Makes both anew and moves them into the site folder, keys first. */
export async function createCertificates(paths: SitePaths, addresses: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(paths.folder, '.certificates-'));
  try {
    await writeFile(join(folder, 'openssl.cnf'), configuration(addresses));
    await writeFile(join(folder, 'index.txt'), '');
    await issue(folder, 'ca', 'site_ca', '/CN=Rekindle site CA', ['-selfsign', '-keyfile', 'ca.key']);
    await issue(folder, 'server', 'server', `/CN=${serverName}`, ['-cert', 'ca.crt', '-keyfile', 'ca.key']);
    for (const key of ['ca.key', 'server.key']) await chmod(join(folder, key), 0o600);
    await rename(join(folder, 'ca.key'), paths.caKey);
    await rename(join(folder, 'server.key'), paths.serverKey);
    await rename(join(folder, 'server.crt'), paths.serverCertificate);
    await rename(join(folder, 'ca.crt'), paths.caCertificate);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function issue(
  folder: string,
  name: string,
  extensions: string,
  subject: string,
  signer: readonly string[],
): Promise<void> {
  const doing = `Making the certificate ${subject.slice(4)}`;
  const ask = ['req', '-new', '-config', 'openssl.cnf', '-subj', subject, '-nodes', '-out', `${name}.csr`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', `${name}.key`];
  await runOpenssl(doing, [...ask, ...key], folder);
  const sign = ['ca', '-batch', '-notext', '-config', 'openssl.cnf', '-extensions', extensions, ...signer];
  const dates = ['-startdate', validFrom, '-enddate', validUntil];
  await runOpenssl(doing, [...sign, ...dates, '-in', `${name}.csr`, '-out', `${name}.crt`], folder);
}
