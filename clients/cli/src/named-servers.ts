import type { TidingsClient } from '@tidings/sdk';

/** So many addresses are remembered: those named last. */
const MAX_NAMED = 8;

/**
 * Addresses for HTTP of gateways that the server has named, without those that the user gave. Who gave
 * only encrypted ones gets no others: a login goes there.
 */
export function httpAddresses(urls: readonly string[], given: readonly string[]): string[] {
  const encrypted = given.every((address) => address.startsWith('https:'));
  const all = urls
    .map((url) => url.replace(/^ws(s?):/, 'http$1:'))
    .filter((url) => URL.canParse(url) && (encrypted ? /^https:/ : /^https?:/).test(url))
    .map((url) => new URL(url).origin);
  return [...new Set(all)].filter((address) => !given.includes(address));
}

/** Gateways that the server has named to this login: asked when those that the user gave are away. */
export class NamedServers {
  private named: string[] = [];

  constructor(
    private readonly client: TidingsClient,
    private readonly given: readonly string[],
    /** Told when there is another one. */
    private readonly changed: () => void = () => undefined,
  ) {
    client.on('gateways', ({ gateways }) => this.add(gateways.map(({ url }) => url)));
  }

  /** All of them, the one named last first. */
  all(): string[] {
    return this.named;
  }

  /** Takes those that the server names, or has named in an earlier run. */
  add(urls: readonly string[]): void {
    const before = new Set(this.named);
    const addresses = httpAddresses(urls, this.given);
    this.named = [...new Set([...addresses, ...this.named])].slice(0, MAX_NAMED);
    this.client.addServers(addresses);
    if (this.named.some((address) => !before.has(address))) this.changed();
  }
}
