import type { ChangeFrame } from '@tidings/protocol/frames';
import { TidingsError } from '@tidings/protocol/errors';
import { Metrics } from '@tidings/common/runtime/metrics';
import { rateLimited } from '../rates/user-rates';
import { SendCounts } from '../send/send-counts';
import { WriteQueue } from '../socket/write-queue';
import { fakeConnection } from '../testing/fake-connection';
import { ChangeHandler, MAX_CHANGES } from './change.handler';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const frame = (n: number): ChangeFrame => ({
  type: 'delete',
  changeId: `change-${n}`,
  messageId: 'm',
  conversationId: 'c',
});

function setUp() {
  const fake = fakeConnection();
  const asked: string[] = [];
  const pending: ((outcome: object | null) => void)[] = [];
  const handler = new ChangeHandler({
    service: {
      change: (request) => {
        asked.push(request.changeId);
        return new Promise((resolve, reject) => {
          pending.push((outcome) =>
            outcome instanceof Error ? reject(outcome) : resolve(outcome as never),
          );
        });
      },
    },
    writes: new WriteQueue({ overflow: jest.fn() }),
    counts: new SendCounts(new Metrics({ service: 'gateway', node: 'g' })),
  });
  const handle = (n: number): void => void handler.handle(fake.connection, frame(n));
  const answers = () => fake.frames.map((f) => JSON.parse(f) as Record<string, unknown>);
  return { ...fake, handler, handle, asked, pending, answers };
}

describe('ChangeHandler', () => {
  it('works off the changes of a socket one after the other', async () => {
    const { handle, asked, pending, answers } = setUp();
    [1, 2, 3].forEach(handle);
    expect(asked).toEqual(['change-1']);
    pending[0]!({ type: 'changed' });
    await settle();
    expect(asked).toEqual(['change-1', 'change-2']);
    pending[1]!(new TidingsError('not_allowed'));
    await settle();
    pending[2]!(null);
    await settle();
    expect(answers()).toMatchObject([
      { type: 'changed' },
      { type: 'error', ref: 'change-2', code: 'not_allowed', conversationId: 'c' },
    ]);
    expect(answers()[1]).not.toHaveProperty('messageId');
    handle(4);
    expect(asked).toHaveLength(4);
  });

  it(`lets ${MAX_CHANGES} wait, and is busy for one more`, async () => {
    const { handle, asked, pending, answers } = setUp();
    for (let n = 1; n <= MAX_CHANGES; n++) handle(n);
    expect(answers()).toEqual([]);
    handle(99);
    expect(answers()).toMatchObject([{ ref: 'change-99', code: 'busy', retryable: true }]);
    pending[0]!(null);
    await settle();
    handle(100);
    expect(answers()).toHaveLength(1);
    expect(asked).toEqual(['change-1', 'change-2']);
  });

  it.each(['image', 'file'] as const)('asks nobody about an edit to another %s', async (kind) => {
    const { handler, connection, asked, answers } = setUp();
    const content = { kind, mediaId: 'm', name: 'n' };
    void handler.handle(connection, { ...frame(1), type: 'edit', content });
    await settle();
    expect(answers()).toMatchObject([{ type: 'error', ref: 'change-1', code: 'not_allowed' }]);
    expect(asked).toEqual([]);
  });

  it('refuses what came too soon, by its ref', () => {
    const { handler, connection, asked, answers } = setUp();
    handler.limited(connection, frame(3), rateLimited(250));
    const error = { ref: 'change-3', code: 'rate_limited', retryable: true, retryAfterMs: 250 };
    expect(answers()).toMatchObject([error]);
    expect(asked).toEqual([]);
  });

  it('asks for nothing more when the socket has ended', async () => {
    const { handle, connection, asked, pending, frames } = setUp();
    [1, 2].forEach(handle);
    connection.ended = true;
    pending[0]!({ type: 'changed' });
    await settle();
    expect(asked).toEqual(['change-1']);
    expect(frames).toEqual([]);
  });
});
