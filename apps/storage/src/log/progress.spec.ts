import type { QueryResultRow } from 'pg';
import type { Sql } from '../database/database';
import { LogState } from './log-state';
import { Progress } from './progress';

/** A database that another instance moves on. */
class Elsewhere implements Sql {
  applied = [0n, 0n];
  asked = 0;
  away = false;

  rows<R extends QueryResultRow>(): Promise<R[]> {
    this.asked++;
    if (this.away) return Promise.reject(new Error('away'));
    return Promise.resolve(this.applied.map((next) => ({ next: String(next) })) as unknown as R[]);
  }
}

describe('progress', () => {
  let elsewhere: Elsewhere;
  let progress: Progress;

  beforeEach(() => {
    elsewhere = new Elsewhere();
    progress = new Progress(elsewhere, new LogState('t', 1, [1n, 1n]));
  });

  afterEach(() => progress.stop());

  it('knows own commits at once, without asking', async () => {
    progress.assign(0);
    const waiting = progress.wait([{ partition: 0, next: 5n }], 1_000);
    progress.advance(0, 4n);
    progress.advance(0, 5n);
    await expect(waiting).resolves.toBe(true);
    expect(elsewhere.asked).toBe(0);
    expect(progress.waiting).toBe(0);
  });

  it('asks for partitions of others, once for everybody who waits', async () => {
    const waiting = Array.from({ length: 200 }, () =>
      progress.wait([{ partition: 1, next: 3n }], 1_000),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    const asked = elsewhere.asked;
    elsewhere.applied = [0n, 3n];
    await expect(Promise.all(waiting)).resolves.toEqual(waiting.map(() => true));
    expect(asked).toBeGreaterThan(0);
    expect(elsewhere.asked).toBeLessThan(50);
  });

  it('waits for all targets', async () => {
    let reached = false;
    const targets = [0, 1].map((partition) => ({ partition, next: 2n }));
    const waiting = progress.wait(targets, 1_000).then((value) => (reached = value));
    progress.advance(0, 2n);
    await new Promise((resolve) => setImmediate(resolve));
    expect(reached).toBe(false);
    progress.advance(1, 2n);
    await waiting;
    expect(reached).toBe(true);
  });

  it('doubts its ownership when nothing comes', async () => {
    progress.assign(0);
    elsewhere.applied = [9n, 0n];
    await expect(progress.wait([{ partition: 0, next: 9n }], 2_000)).resolves.toBe(true);
  });

  it('lets go at the deadline, with the database away', async () => {
    elsewhere.away = true;
    await expect(progress.wait([{ partition: 1, next: 1n }], 40)).resolves.toBe(false);
    expect(progress.waiting).toBe(0);
  });

  it('lets go when it stops, and takes nobody any more', async () => {
    const waiting = progress.wait([{ partition: 1, next: 1n }], 10_000);
    progress.stop();
    await expect(waiting).resolves.toBe(false);
    await expect(progress.wait([{ partition: 1, next: 1n }], 10_000)).resolves.toBe(false);
  });

  it('is bounded', async () => {
    const many = Array.from({ length: 10_001 }, () =>
      progress.wait([{ partition: 1, next: 1n }], 5_000),
    );
    await expect(many.at(-1)).resolves.toBe(false);
    progress.advance(1, 1n);
    await expect(Promise.all(many.slice(0, -1))).resolves.toEqual(
      many.slice(0, -1).map(() => true),
    );
  });

  it('goes back when the database did', () => {
    progress.advance(0, 9n);
    progress.reset(0, 4n);
    expect(progress.reached({ partition: 0, next: 5n })).toBe(false);
  });
});
