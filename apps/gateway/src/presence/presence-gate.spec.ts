import { PresenceGate, type KeptBack } from './presence-gate';

function setUp() {
  let now = 0;
  const kept: KeptBack[] = [];
  const visible = jest.fn<Promise<ReadonlySet<string>>, [string, readonly string[]]>();
  const gate = new PresenceGate({
    sight: { visible },
    keptBack: (why) => void kept.push(why),
    clock: () => now,
  });
  const pass = (ms: number): void => {
    now += ms;
  };
  return { gate, visible, kept, pass };
}

describe('PresenceGate', () => {
  it('opens for who may see, and asks about a pair once a second', async () => {
    const { gate, visible, kept, pass } = setUp();
    visible.mockResolvedValue(new Set(['b']));
    expect(await Promise.all([gate.opens('a', 'b'), gate.opens('a', 'b')])).toEqual([true, true]);
    pass(1_000);
    expect(await gate.opens('a', 'b')).toBe(true);
    expect(visible.mock.calls).toEqual([['a', ['b']]]);
    visible.mockResolvedValue(new Set());
    expect(await gate.opens('b', 'a')).toBe(false);
    pass(1);
    expect(await gate.opens('a', 'b')).toBe(false);
    expect(visible).toHaveBeenCalledTimes(3);
    expect(kept).toEqual(['privacy', 'privacy']);
  });

  it('keeps back while nobody can tell, and asks again', async () => {
    const { gate, visible, kept } = setUp();
    visible.mockRejectedValueOnce(new Error('away')).mockResolvedValueOnce(new Set(['b']));
    expect(await gate.opens('a', 'b')).toBe(false);
    expect(await gate.opens('a', 'b')).toBe(true);
    expect(kept).toEqual(['unavailable']);
  });

  it('keeps back when too much is being asked', async () => {
    const { gate, visible, kept } = setUp();
    let answer = (_seen: ReadonlySet<string>): void => undefined;
    visible.mockReturnValue(new Promise((resolve) => (answer = resolve)));
    const asked = Array.from({ length: 501 }, (_, n) => gate.opens('a', `b${n}`));
    expect(await asked[500]).toBe(false);
    expect([visible.mock.calls.length, kept]).toEqual([500, ['busy']]);
    answer(new Set(['b0']));
    expect(await asked[0]).toBe(true);
    expect(await gate.opens('a', 'b501')).toBe(false);
    expect(visible).toHaveBeenCalledTimes(501);
  });
});
