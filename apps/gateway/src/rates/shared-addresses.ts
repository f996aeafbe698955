import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';

/** Names the default gateway of this machine's network: where a container engine's proxy comes from. */
export const DEFAULT_GATEWAY = 'default-gateway';
const ROUTES = '/proc/net/route';
const UP_GATEWAY = 0x3;

/**
 * Addresses behind which many clients stand. What one of them does must not count against the
 * others, so that limits per address do not apply to these; limits per account and user do.
 */
export class SharedAddresses {
  private readonly networks = new BlockList();

  /**
   * @param listed addresses, networks (CIDR) and {@link DEFAULT_GATEWAY}
   * @param routes the kernel's routes, as in `/proc/net/route`; '' where there are none
   */
  constructor(listed: readonly string[], routes: () => string = readRoutes) {
    for (const one of listed) {
      if (one !== DEFAULT_GATEWAY) this.add(one);
      else for (const gateway of defaultGateways(routes())) this.add(gateway);
    }
  }

  /** Whether many clients have this address; IPv4 also where it is written as IPv6. */
  has(address: string | undefined): boolean {
    const plain = address?.replace(/^::ffff:(?=[0-9.]+$)/i, '') ?? '';
    const family = isIP(plain);
    return family !== 0 && this.networks.check(plain, family === 4 ? 'ipv4' : 'ipv6');
  }

  private add(network: string): void {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    if (bits === undefined) this.networks.addAddress(address, family);
    else this.networks.addSubnet(address, Number(bits), family);
  }
}

function readRoutes(): string {
  try {
    return readFileSync(ROUTES, 'utf8');
  } catch {
    // no Linux
    return '';
  }
}

/** IPv4 gateways of default routes: words of 32 bits in hexadecimal, the least byte first. */
export function defaultGateways(routes: string): string[] {
  return routes
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, destination, gateway, flags]) => {
      const isDefault = destination === '00000000' && gateway !== '00000000';
      return isDefault && (parseInt(flags ?? '', 16) & UP_GATEWAY) === UP_GATEWAY;
    })
    .map(([, , gateway = '']) =>
      (gateway.match(/../g) ?? [])
        .reverse()
        .map((byte) => parseInt(byte, 16))
        .join('.'),
    );
}
