import type { FoundSpool } from './spool-root';

/** How long nobody may have seen a life sign, milliseconds: a directory's entry lives 5 s, a lock is touched each second. */
const GONE_AFTER_MS = 10_000;
/** So often one must have looked meanwhile. */
const LOOKS = 4;
/** After a longer pause between two looks all begins anew: the one who looks was hung, milliseconds. */
const LONGEST_PAUSE_MS = 5_000;

interface Silence {
  touchedAt: number | null;
  since: number;
  looks: number;
}

/** One look at the root and at the directory. */
export interface Look {
  spools: readonly FoundSpool[];
  /** The gateways that live, by id; null: nobody can tell now. */
  live: ReadonlySet<string> | null;
  /** Monotonic milliseconds. */
  now: number;
}

/** A spool whose process is gone, and for how long nothing was seen of it, milliseconds. */
export type GoneSpool = FoundSpool & { silentMs: number };

/**
 * Tells which spools have nobody any more: in several looks in a row their node was in the directory never, and
 * their lock was not touched. A lock alone says too little (a process in another container cannot be seen, a
 * volume may show times late), and so does the directory alone (a gateway that starts, or whose Redis is away).
 */
export class GoneSpools {
  private readonly silent = new Map<string, Silence>();
  private lastLook = -Infinity;

  /** `ownId`: a node's own process may have left spools behind, whose locks alone tell. */
  constructor(private readonly ownId: string) {}

  /** What is gone by this look, the longest first. */
  look({ spools, live, now }: Look): GoneSpool[] {
    const paused = now - this.lastLook > LONGEST_PAUSE_MS;
    this.lastLook = now;
    if (live === null || paused) this.silent.clear();
    if (live === null) return [];
    const gone: GoneSpool[] = [];
    for (const spool of spools) {
      const silence = this.note(spool, live, now);
      if (!silence) continue;
      const silentMs = now - silence.since;
      if (silentMs >= GONE_AFTER_MS && silence.looks >= LOOKS) gone.push({ ...spool, silentMs });
    }
    this.forget(spools);
    return gone.sort((a, b) => b.silentMs - a.silentMs);
  }

  private note(
    { nodeId, dir, touchedAt }: FoundSpool,
    live: ReadonlySet<string>,
    now: number,
  ): Silence | null {
    if (nodeId !== this.ownId && live.has(nodeId)) {
      this.silent.delete(dir);
      return null;
    }
    const before = this.silent.get(dir);
    const goesOn = before !== undefined && before.touchedAt === touchedAt;
    const silence = goesOn
      ? { ...before, looks: before.looks + 1 }
      : { touchedAt, since: now, looks: 1 };
    this.silent.set(dir, silence);
    return silence;
  }

  private forget(spools: readonly FoundSpool[]): void {
    const there = new Set(spools.map(({ dir }) => dir));
    for (const dir of this.silent.keys()) if (!there.has(dir)) this.silent.delete(dir);
  }
}
