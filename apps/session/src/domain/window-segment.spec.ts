import { deletionEntries, stateOf } from '../../test/window-states';
import { fillFrom } from './window-fill';
import { cutRun, decodeSegment, encodeSegment, scopeAt } from './window-segment';

describe('segments of a window', () => {
  const segment = () => {
    const { base, recentIds } = stateOf(deletionEntries);
    return { from: 2n, next: 6n, run: recentIds.run(base + 2n, base + 6n) };
  };

  it('come back from their bytes, wherever these lie', () => {
    const bytes = encodeSegment(segment());
    for (const shift of [0, 1, 4]) {
      const moved = Buffer.concat([Buffer.alloc(shift), bytes]).subarray(shift);
      expect(decodeSegment(moved)).toEqual(segment());
    }
  });

  it('may have no entry: all of its records were repetitions', () => {
    const run = cutRun(segment().run, 0n, 0n);
    const empty = { from: 5n, next: 9n, run: { ...run, scopes: [] } };
    expect(decodeSegment(encodeSegment(empty))).toEqual(empty);
  });

  it('say of which conversation an entry is', () => {
    const { run } = segment();
    const scopes = [...run.positions].map((_, entry) => scopeAt(run, entry));
    expect(scopes).toEqual(['d', 'c!', 'c:', 'c', 'd']);
  });

  it.each([
    ['nothing', (bytes: Buffer) => bytes.subarray(0, 0)],
    ['a part', (bytes: Buffer) => bytes.subarray(0, 40)],
    ['too much', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
    ['another format', (bytes: Buffer) => Buffer.concat([Buffer.from([7]), bytes.subarray(1)])],
    ['scopes cut off', (bytes: Buffer) => withoutScopes(bytes)],
  ])('are refused when the bytes are %s', (_name, damaged) => {
    expect(decodeSegment(damaged(encodeSegment(segment())))).toBeNull();
  });

  it('fill nothing when none begins where the state does', () => {
    const state = stateOf([], { start: 1n, liveFrom: 6n });
    expect(fillFrom(state, [segment()])).toBe(0);
    expect([state.next, state.copied, state.recentIds.size]).toEqual([1n, 1n, 0]);
  });
});

function withoutScopes(bytes: Buffer): Buffer {
  const cut = Buffer.from(bytes);
  const length = cut.readUInt32LE(8);
  cut.writeUInt32LE(0, 8);
  return cut.subarray(0, cut.length - length);
}
