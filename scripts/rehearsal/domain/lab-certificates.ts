import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runTool } from '#base/run-tool.ts';

const openssl = { command: 'openssl', debianPackage: 'openssl' };
const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];

/** The CA of the lab's domain: what AD CS is in a plant. */
export async function createDomainCa(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const certificate = path.join(directory, 'ca.pem');
  await runTool('making the CA of the lab domain', openssl, [
    ...['req', '-x509', ...key, '-subj', '/CN=Lab domain CA', '-addext', 'keyUsage=critical,keyCertSign'],
    ...['-keyout', path.join(directory, 'ca.key'), '-out', certificate],
  ]);
  return certificate;
}

/** Lines of smb.conf that make a controller use its own certificate. */
export async function createControllerCertificate(
  ca: string,
  dnsName: string,
  directory: string,
): Promise<string[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [keyFile, request, certificate, extensions] = [
    'key.pem',
    'request.pem',
    'cert.pem',
    'extensions',
  ].map((name) => path.join(directory, name)) as [string, string, string, string];
  await runTool(`making the key of ${dnsName}`, openssl, [
    ...['req', '-new', ...key.slice(0, -2), '-subj', `/CN=${dnsName}`, '-keyout', keyFile, '-out', request],
  ]);
  await writeFile(extensions, `subjectAltName=DNS:${dnsName}\n`);
  await runTool(`signing the certificate of ${dnsName}`, openssl, [
    ...['x509', '-req', '-in', request, '-CA', ca, '-CAkey', path.join(path.dirname(ca), 'ca.key')],
    ...['-CAcreateserial', '-days', '30', '-extfile', extensions, '-out', certificate],
  ]);
  return [`tls keyfile = ${keyFile}`, `tls certfile = ${certificate}`, `tls cafile = ${ca}`];
}
