import type { GatewayDirectory, GatewayEntry } from '@tidings/common/redis/directory';

const ANNOUNCE_MS = 1_000;

/** Keeps this gateway in the directory: an entry each second, until it is withdrawn. */
export class Announcer {
  private timer: NodeJS.Timeout | null = null;
  private withdrawn = false;

  constructor(
    private readonly directory: GatewayDirectory,
    private readonly gatewayId: string,
    /** The entry of this moment. */
    private readonly entry: () => GatewayEntry,
  ) {}

  /** Announces at once and from then on; without Redis it goes on trying. */
  async start(): Promise<void> {
    this.timer = setInterval(() => void this.announce(), ANNOUNCE_MS).unref();
    await this.announce();
  }

  /** Takes the gateway out of the directory. Never rejects: an old entry does not count. */
  async withdraw(): Promise<void> {
    this.withdrawn = true;
    if (this.timer) clearInterval(this.timer);
    await this.directory.remove(this.gatewayId).catch(() => undefined);
  }

  private async announce(): Promise<void> {
    if (this.withdrawn) return;
    await this.directory.announce(this.entry()).catch(() => undefined);
  }
}
