import { describe, expect, it } from 'vitest';
import { formatConfigurationErrors, parseConfiguration } from '#pxe-server/config/parse-configuration.ts';

describe('configuration', () => {
  it('fills every default from one required key', () => {
    expect(parseConfiguration('interface: eth1\n')).toMatchObject({
      configuration: {
        interface: 'eth1',
        dhcp: { mode: 'proxy', leaseSeconds: 86400 },
        http: { port: 8080 },
        https: { port: 8443 },
        logOn: { tries: 5, lockMinutes: 15 },
        volumes: { data: ['PROJECTS'] },
      },
    });
  });

  it('reports every error at once, with line and key', () => {
    const text = [
      '# site',
      'interface: eth1',
      'dhcp:',
      '  mode: both',
      '  lease: 10',
      'http:',
      '  port: "80a"',
      'logOn:',
      '  tries: 0',
      'colour: red',
    ].join('\n');
    const parsed = parseConfiguration(text);
    if (!('errors' in parsed)) throw new Error('expected errors');
    expect(parsed.errors.map(({ line, key }) => [line, key])).toEqual([
      [4, 'dhcp.mode'],
      [5, 'dhcp.lease'],
      [7, 'http.port'],
      [9, 'logOn.tries'],
      [10, 'colour'],
    ]);
    expect(formatConfigurationErrors('rekindle.yaml', parsed.errors)).toContain(
      'rekindle.yaml:5: dhcp.lease: is no key that Rekindle knows',
    );
  });

  it('takes one share of one kind, with all that it needs and nothing else', () => {
    const messagesOf = (share: string) => {
      const parsed = parseConfiguration(`interface: eth1\nshare: ${share}\n`);
      return 'errors' in parsed ? parsed.errors.map(({ key, message }) => `${key} ${message}`) : [];
    };
    expect(messagesOf('{ smb: //nas/images, user: recovery, passwordFile: keys/share }')).toEqual([]);
    expect(messagesOf('{ nfs: "nas:/images" }')).toEqual([]);
    expect(messagesOf('{ smb: //nas/images }')).toEqual([
      'share.user is required for an SMB share',
      'share.passwordFile is required for an SMB share',
    ]);
    expect(messagesOf('{}')[0]).toContain('one of `smb` and `nfs`');
    expect(messagesOf('{ nfs: "nas:/images", user: recovery }')[0]).toContain(
      'NFS knows stations by address',
    );
    expect(messagesOf('{ smb: nas/images, user: recovery, passwordFile: p }')[0]).toContain('//server/share');
    expect(messagesOf('{ smb: //nas/x, user: "a,uid=0", passwordFile: p }')[0]).toContain('no comma');
  });

  it('says that a missing key is required', () => {
    expect(parseConfiguration('')).toEqual({
      errors: [{ line: 1, key: 'interface', message: 'is required' }],
    });
  });

  it('names the line of a YAML error and of a key that is there twice', () => {
    expect(parseConfiguration('interface: eth1\ninterface: eth2\n')).toMatchObject({ errors: [{ line: 2 }] });
    expect(parseConfiguration('interface: [eth1\nhttp: 3\n')).toHaveProperty('errors');
  });

  it.each([
    ['a list', '- 1\n- 2\n'],
    ['a scalar', '42\n'],
    ['null', '~\n'],
  ])('refuses a file that is %s', (_name, text) => {
    expect(parseConfiguration(text)).toHaveProperty('errors');
  });

  it('refuses reservation-only keys in proxy mode, a range upside down and equal ports', () => {
    const text =
      'interface: eth1\ndhcp:\n  stations: {from: 10.0.0.9, to: 10.0.0.2}\n  router: 10.0.0.1\nhttp: {port: 8443}\n';
    const parsed = parseConfiguration(text);
    if (!('errors' in parsed)) throw new Error('expected errors');
    expect(parsed.errors.map(({ line }) => line)).toContain(3);
    const second = parseConfiguration(text.replace('{from: 10.0.0.9', '{from: 10.0.0.1'));
    if (!('errors' in second)) throw new Error('expected errors');
    expect(second.errors.map(({ line, key }) => [line, key])).toEqual(
      [
        [4, 'dhcp.router'],
        [1, 'https.port'],
      ].sort((a, b) => Number(a[0]) - Number(b[0])),
    );
  });
});
