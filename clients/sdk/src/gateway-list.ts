import type { GatewayAddress } from '@tidings/protocol/http';

/** The most gateways that the directory is asked to avoid. */
const MAX_AVOIDED = 16;
/** How many gateways are remembered. */
const MAX_KNOWN = 16;

/** The gateways that a client has heard of, and which of them failed it lately. */
export class GatewayList {
  /** Best first. */
  private known: GatewayAddress[] = [];
  private avoided: string[] = [];
  private current: GatewayAddress | null = null;

  /** Takes the choice of the directory (primary, then backup) or of a `goodbye`. */
  learn(gateways: readonly GatewayAddress[]): void {
    const ids = new Set(gateways.map((g) => g.id));
    this.known = [...gateways, ...this.known.filter((g) => !ids.has(g.id))].slice(0, MAX_KNOWN);
  }

  /** Connected to this one: nothing needs to be avoided any more. */
  arrived(gateway: GatewayAddress): void {
    this.current = gateway;
    this.avoided = [];
  }

  /** The gateway in use was lost. */
  left(): void {
    if (this.current) this.avoid(this.current.id);
    this.current = null;
  }

  /** This gateway did not let us in. */
  avoid(id: string): void {
    this.avoided = [...this.avoided.filter((other) => other !== id), id].slice(-MAX_AVOIDED);
  }

  /** Gateways that the directory should not choose. */
  toAvoid(): string[] {
    return [...this.avoided];
  }

  /** Avoids nothing any more: there might be no gateway left. */
  forgive(): void {
    this.avoided = [];
  }

  /** These were only busy: they need not be avoided any more. */
  retry(ids: readonly string[]): void {
    this.avoided = this.avoided.filter((id) => !ids.includes(id));
  }

  /**
   * Where to use a ticket: the best of the gateways that take it (null: any that is known), but the
   * lost one.
   */
  forTicket(gateways: readonly GatewayAddress[] | null): GatewayAddress | null {
    return (gateways ?? this.known).find((g) => !this.avoided.includes(g.id)) ?? null;
  }

  /** Where to use it when there is no other: also one to avoid. */
  anyForTicket(gateways: readonly GatewayAddress[] | null): GatewayAddress | null {
    return this.forTicket(gateways) ?? (gateways ?? this.known)[0] ?? null;
  }
}
