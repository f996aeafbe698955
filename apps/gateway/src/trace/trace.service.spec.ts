import { TidingsError } from '@tidings/protocol/errors';
import type { StoredTrace } from '@tidings/protocol/trace';
import { LogPositions } from '../send/log-positions';
import { TraceService } from './trace.service';

const AT = Date.parse('2026-01-01T10:00:00.000Z');
const STORED: StoredTrace = {
  position: '1007',
  accepted: '2026-01-01T09:59:59.990Z',
  stored: null,
  expired: null,
  setAside: null,
  recipients: 1,
  delivered: [{ userId: 'bob', at: null }],
  read: [],
};
const TARGET = { userId: 'ann', conversationId: 'c', messageId: 'm' };

function setUp() {
  const world = {
    answers: [{ trace: STORED, applied: true }] as {
      trace: StoredTrace | null;
      applied: boolean;
    }[],
    barrier: ['42'] as (string | null)[] | null,
    time: async (): Promise<number | null> => AT,
    routed: async (): Promise<number | null> => AT + 5,
  };
  const asked: Record<string, unknown>[] = [];
  const read: bigint[] = [];
  const storage = {
    call: (_name: string, input: Record<string, unknown>) => {
      asked.push(input);
      return Promise.resolve(world.answers[Math.min(asked.length, world.answers.length) - 1]);
    },
  };
  const service = new TraceService({
    storage: storage as never,
    barrier: { take: () => Promise.resolve(world.barrier) },
    positions: LogPositions.of({ epoch: 1, bases: [1000n] }),
    partitions: 1,
    log: {
      recordTime: (_topic, _partition, offset) => {
        read.push(offset);
        return world.time();
      },
      close: () => undefined,
    },
    routed: { at: () => world.routed() },
  });
  return { world, service, asked, read };
}

describe('TraceService', () => {
  it('joins what storage, log and session know', async () => {
    const { service, asked, read } = setUp();
    expect(await service.get(TARGET, { limit: 5 })).toEqual({
      ...STORED,
      conversationId: 'c',
      messageId: 'm',
      logged: '2026-01-01T10:00:00.000Z',
      routed: '2026-01-01T10:00:00.005Z',
    });
    expect(read).toEqual([7n]);
    expect(asked).toEqual([expect.objectContaining({ ...TARGET, limit: 5 })]);
  });

  it('takes for unknown what log and session do not tell', async () => {
    const { world, service } = setUp();
    world.time = () => Promise.reject(new Error('away'));
    world.routed = async () => null;
    expect(await service.get(TARGET, {})).toMatchObject({ logged: null, routed: null });
  });

  it('says of what was set aside that nobody was handed it', async () => {
    const { world, service, read } = setUp();
    const setAside = '2026-01-01T10:00:01.000Z';
    world.answers = [{ trace: { ...STORED, position: '0', setAside }, applied: true }];
    expect(await service.get(TARGET, {})).toMatchObject({ setAside, logged: null, routed: null });
    expect(read).toEqual([]);
  });

  it('reads no record of an earlier log', async () => {
    const { world, service, read } = setUp();
    world.answers = [{ trace: { ...STORED, position: '999' }, applied: true }];
    expect(await service.get(TARGET, {})).toMatchObject({ position: '999', logged: null });
    expect(read).toEqual([]);
  });

  it('reads only so many records at a time', async () => {
    const { world, service } = setUp();
    let answer: (at: number) => void = () => undefined;
    const held = new Promise<number>((resolve) => (answer = resolve));
    world.time = () => held;
    const all = Promise.all(Array.from({ length: 20 }, () => service.get(TARGET, {})));
    await new Promise((resolve) => setImmediate(resolve));
    answer(AT);
    expect((await all).filter((trace) => trace.logged === null)).toHaveLength(4);
    expect(await service.get(TARGET, {})).toMatchObject({ logged: expect.any(String) });
  });

  it('asks once more behind the barrier before it says not_found', async () => {
    const { world, service, asked } = setUp();
    world.answers = [
      { trace: null, applied: true },
      { trace: STORED, applied: true },
    ];
    expect(await service.get(TARGET, {})).toMatchObject({ position: '1007' });
    expect(asked[1]).toMatchObject({ next: '42', waitMs: 2_000 });
  });

  it.each([
    ['not_found', { trace: null, applied: true }, ['42']],
    ['unavailable', { trace: null, applied: false }, ['42']],
    ['unavailable', { trace: null, applied: true }, null],
    ['unavailable', { trace: null, applied: true }, [null]],
  ])('says %s: storage %j, barrier %j', async (code, answer, barrier) => {
    const { world, service } = setUp();
    Object.assign(world, { answers: [answer], barrier });
    await expect(service.get(TARGET, {})).rejects.toMatchObject({ code });
  });

  it('passes on what storage refuses', async () => {
    const { service } = setUp();
    const refused = new TraceService({
      ...(service as unknown as { parts: ConstructorParameters<typeof TraceService>[0] }).parts,
      storage: { call: () => Promise.reject(new TidingsError('no_such_conversation')) } as never,
    });
    await expect(refused.get(TARGET, {})).rejects.toMatchObject({ code: 'no_such_conversation' });
  });
});
