import { setImmediate as turn } from 'node:timers/promises';
import { Turns, WAITING_MAX, WAITING_PER_CALLER, type TurnOf } from './turns';

/** A turn of this key for somebody, everybody another one. */
let callers = 0;
const of = (key: string): TurnOf => ({ key, caller: String(callers++) });

/** Work that ends when it is told to. */
function held() {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const work = (n: number) => async (): Promise<number> => {
    begun.push(n);
    await new Promise<void>((resolve) => ends.push(resolve));
    return n;
  };
  return { begun, ends, work };
}

describe('Turns', () => {
  it('lets one after the other with a key, and other keys meanwhile', async () => {
    const turns = new Turns();
    const { begun, ends, work } = held();
    const results = [turns.take(of('a'), 10_000, work(1)), turns.take(of('a'), 10_000, work(2))];
    const other = turns.take(of('b'), 10_000, work(3));
    await turn();
    expect(begun).toEqual([1, 3]);
    ends.forEach((end) => end());
    await turn();
    expect(begun).toEqual([1, 3, 2]);
    ends.at(-1)!();
    expect(await Promise.all([...results, other])).toEqual([1, 2, 3]);
    await turn();
    expect(turns.size).toBe(0);
  });

  it('goes on behind a failure', async () => {
    const turns = new Turns();
    const failed = turns.take(of('a'), 10_000, () => Promise.reject(new Error('no')));
    const next = turns.take(of('a'), 10_000, async () => 'yes');
    await expect(failed).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });

  it('does not begin what comes too late, nor take more than its bound', async () => {
    let now = 0;
    const turns = new Turns(() => now);
    const { begun, ends, work } = held();
    const line = Array.from({ length: WAITING_MAX }, (_, n) => turns.take(of('a'), 10, work(n)));
    const codes = line.slice(1).map((p) => p.catch((e: { code: string }) => e.code));
    await expect(turns.take(of('a'), 10, work(-1))).rejects.toMatchObject({ code: 'busy' });
    await turn();
    now = 11;
    ends[0]!();
    expect(new Set(await Promise.all(codes))).toEqual(new Set(['busy']));
    expect(begun).toEqual([0]);
    await turn();
    expect(turns.size).toBe(0);
  });

  it('leaves room in a line for others than the one who fills it', async () => {
    const turns = new Turns();
    const { ends, work } = held();
    const eve = { key: 'a', caller: 'eve' };
    const line = Array.from({ length: WAITING_PER_CALLER }, (_, n) =>
      turns.take(eve, 10_000, work(n)),
    );
    await expect(turns.take(eve, 10_000, work(-1))).rejects.toMatchObject({ code: 'busy' });
    const other = turns.take({ key: 'a', caller: 'ann' }, 10_000, work(100));
    for (const one of line) {
      await turn();
      ends.shift()!();
      await one;
    }
    await turn();
    ends.shift()!();
    expect(await other).toBe(100);
    const again = turns.take(eve, 10_000, work(5));
    await turn();
    ends.shift()!();
    expect(await again).toBe(5);
  });
});
