import type { NetworkInterfaceInfo } from 'node:os';
import { internalUrl } from './internal-url';

const address = (address: string, internal = false) =>
  ({ address, internal, family: 'IPv4' }) as NetworkInterfaceInfo;

describe('where a service is called', () => {
  const interfaces = { lo: [address('127.0.0.1', true)], eth0: [address('172.18.0.5')] };

  it.each([
    ['a setting', 'http://storage:8092/', 'http://0.0.0.0:8092', 'http://storage:8092'],
    ['a listener of one address', undefined, 'http://127.0.0.1:4711', 'http://127.0.0.1:4711'],
    ['a listener of all', undefined, 'http://0.0.0.0:8092', 'http://172.18.0.5:8092'],
    ['a listener of all, IPv6', undefined, 'http://[::]:8092', 'http://172.18.0.5:8092'],
  ])('with %s', (_, setting, listener, expected) => {
    expect(internalUrl(setting, listener, interfaces)).toBe(expected);
  });
});
