import { isIPv6 } from 'node:net';

/**
 * The network that an address stands for. For IPv6 its first 64 bits, as a customer has a /64 of
 * addresses (RFC 6177). For IPv4 the address itself, also inside IPv6. Anything that is not an
 * address is a network of its own.
 */
export function clientNetwork(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const plain = address.replace(/%.*$/, '');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain);
  if (mapped) return mapped[1]!;
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const hidden = tail === undefined ? 0 : 8 - before.length - after.length;
  const groups = [...before, ...Array.from({ length: Math.max(0, hidden) }, () => '0'), ...after];
  const first = groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16));
  return `${first.join(':')}::/64`;
}
