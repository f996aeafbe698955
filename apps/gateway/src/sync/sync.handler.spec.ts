import { TidingsError } from '@tidings/protocol/errors';
import type { SyncedBody, SyncRequest } from '@tidings/protocol/frames';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import type { DelayedSyncs } from './delayed-syncs';
import { SyncHandler } from './sync.handler';

const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const END: SyncedBody = { conversations: [], since: 's', complete: true };

const inTwo = (text: string) => [Buffer.from(text.slice(0, 2)), Buffer.from(text.slice(2))];

function setUp(answer: SyncedBody[] | TidingsError | 'never') {
  const fake = fakeConnection();
  const requests: SyncRequest[] = [];
  const delayed: unknown[] = [];
  const covered: bigint[] = [];
  const handler = new SyncHandler(
    {
      sync: (_userId, request) => {
        requests.push(request);
        if (answer === 'never') return new Promise(() => undefined);
        if (answer instanceof Error) return Promise.reject(answer);
        const bodies = answer.map((body) => inTwo(JSON.stringify(body)));
        return Promise.resolve({ bodies, delayed: answer.some((body) => body.delayed) });
      },
    },
    { add: (connection: unknown) => delayed.push(connection) } as unknown as DelayedSyncs,
    new WriteQueue({ overflow: jest.fn() }),
    {
      barrier: { position: (barrier) => (barrier === null ? null : BigInt(barrier[0] ?? 0)) },
      delivery: { barrierTaken: (_connection, position) => void covered.push(position) },
    },
  );
  const ask = (ref: string): void =>
    void handler.handle(fake.connection, { type: 'sync', ref, since: 'x' });
  const answers = () => fake.frames.map((f) => JSON.parse(f) as Record<string, unknown>);
  return { ...fake, ask, answers, requests, delayed };
}

describe('SyncHandler', () => {
  it('frames each body with the ref', async () => {
    const { ask, answers, requests, connection } = setUp([{ conversations: [] }, END]);
    ask('r');
    await settle();
    expect(answers()).toEqual([
      { type: 'synced', ref: 'r', conversations: [] },
      { type: 'synced', ref: 'r', ...END },
    ]);
    expect(requests).toEqual([{ since: 'x' }]);
    expect(connection.syncs).toBe(0);
  });

  it('remembers who got a delayed answer', async () => {
    const { ask, delayed, connection } = setUp([{ ...END, complete: false, delayed: true }]);
    ask('r');
    await settle();
    expect(delayed).toEqual([connection]);
  });

  it('answers errors with the ref', async () => {
    const { ask, answers } = setUp(new TidingsError('unavailable'));
    ask('r');
    await settle();
    expect(answers()).toMatchObject([
      { type: 'error', ref: 'r', code: 'unavailable', retryable: true },
    ]);
  });

  it('answers at most four at a time', async () => {
    const { ask, answers } = setUp('never');
    for (let i = 0; i < 5; i++) ask(`r${i}`);
    await settle();
    expect(answers()).toMatchObject([{ type: 'error', ref: 'r4', code: 'busy' }]);
  });

  it('writes the next body only when the socket has room', async () => {
    const { ask, frames, raw } = setUp([{ conversations: [] }, END]);
    raw.writableLength = 512 * 1024;
    ask('r');
    await settle();
    expect(frames).toHaveLength(0);
    raw.writableLength = 0;
    raw.emit('drain');
    await settle();
    expect(frames).toHaveLength(2);
  });
});
