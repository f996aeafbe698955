import type { Directory, NodeEntry } from '../redis/directory';

const LOOK_MS = 1_000;
/** A list older than this says nothing any more, in milliseconds. */
const KNOWN_MS = 5_000;

type Service = NodeEntry['service'];

/** Knows the instances of session, presence and storage, as they announce themselves. */
export class NodeWatch {
  private entries: readonly NodeEntry[] = [];
  private listedAt = -Infinity;
  private looking = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly directory: Pick<Directory<NodeEntry>, 'list'>,
    /** Monotonic milliseconds. */
    private readonly clock: () => number = () => performance.now(),
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
    void this.look();
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /**
   * The instances of a service. `known`: they are current. Otherwise Redis is down, and they are
   * the last known ones.
   */
  of(service: Service): { known: boolean; instances: readonly NodeEntry[] } {
    const known = this.clock() - this.listedAt <= KNOWN_MS;
    return { known, instances: this.entries.filter((entry) => entry.service === service) };
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      this.entries = await this.directory.list();
      this.listedAt = this.clock();
    } catch {
      // Redis is down: whoever uses it for more than this says so
    } finally {
      this.looking = false;
    }
  }
}
