import type { IncomingMessage } from 'node:http';
import { ClientAddresses, type TrustProxy } from './client-addresses';

const PEER = '10.0.0.1';
const LONG = 'x'.repeat(5_000);

function addressOf(trusted: TrustProxy | undefined, forwarded?: string, peer = PEER) {
  const request = { headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress: peer } };
  return new ClientAddresses(trusted).of(request as unknown as IncomingMessage);
}

describe('the address of a request', () => {
  it.each<[string, TrustProxy | undefined, string | undefined, string]>([
    ['nobody is trusted', undefined, '203.0.113.7', PEER],
    ['no hop is trusted', 0, '203.0.113.7', PEER],
    ['a trusted one tells nothing', 1, undefined, PEER],
    ['one hop', 1, '203.0.113.7', '203.0.113.7'],
    ['one hop, and the client forges', 1, '1.1.1.1, 203.0.113.7', '203.0.113.7'],
    ['two hops', 2, '1.1.1.1, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['networks', ['10.0.0.0/8'], '1.1.1.1, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['names of networks', ['uniquelocal'], '203.0.113.7', '203.0.113.7'],
    ['another network than the peer’s', ['192.168.0.0/16'], '203.0.113.7', PEER],
    ['IPv6', 1, '2001:db8::7', '2001:db8::7'],
    ['what is no address', 1, 'unknown', PEER],
    ['an address with a port', 1, '203.0.113.7:4711', PEER],
    ['an address with a zone', 1, `fe80::1%${LONG}`, PEER],
    ['a line for a log', 1, '1.1.1.1","event":"x', PEER],
    ['endless text', 1, LONG, PEER],
    ['endless lists', 1, `${'1.1.1.1, '.repeat(500)}203.0.113.7`, '203.0.113.7'],
  ])('%s', (_name, trusted, forwarded, expected) => {
    expect(addressOf(trusted, forwarded)).toBe(expected);
  });
});
