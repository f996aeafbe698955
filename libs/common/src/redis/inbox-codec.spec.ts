import fc from 'fast-check';
import { decodeInbox, encodeInbox, type InboxItem } from './inbox-codec';
import { InvalidRedisId } from './keys';

function decodeAll(payload: string | Buffer): { items: InboxItem[]; skipped: number } {
  const items: InboxItem[] = [];
  const skipped = decodeInbox(payload, {
    changed: (conversationId) => items.push({ kind: 'changed', conversationId }),
    push: (connections, bytes, untilMs) => {
      const item = { kind: 'push' as const, connections, frame: bytes.toString('utf8') };
      items.push(untilMs === null ? item : { ...item, untilMs });
    },
    all: (position, frame) =>
      items.push({ kind: 'all', position: String(position), frame: frame.toString('utf8') }),
    tells: (of, connections, frame) =>
      items.push({ kind: 'tells', of, connections, frame: frame.toString('utf8') }),
    close: (connectionId, code, reason) =>
      items.push(
        reason === undefined
          ? { kind: 'close', connectionId, code }
          : { kind: 'close', connectionId, code, reason },
      ),
    presence: (userId, presence) =>
      items.push({ kind: 'presence', userId, presence: presence.toString('utf8') }),
    judge: (userId) => items.push({ kind: 'judge', userId }),
  });
  return { items, skipped };
}

const connectionId = fc.stringMatching(/^[A-Za-z0-9._-]{1,24}$/);
const changed = fc.record({
  kind: fc.constant('changed' as const),
  conversationId: connectionId,
});
const push = fc.record(
  {
    kind: fc.constant('push' as const),
    connections: fc.array(connectionId, { maxLength: 5 }),
    frame: fc.json(),
    untilMs: fc.nat({ max: 9e14 }),
  },
  { requiredKeys: ['kind', 'connections', 'frame'] },
);
const all = fc.record({
  kind: fc.constant('all' as const),
  position: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
  frame: fc.json(),
});
const tells = fc.record({
  kind: fc.constant('tells' as const),
  of: connectionId,
  connections: fc.array(connectionId, { maxLength: 5 }),
  frame: fc.json(),
});
const close = fc.record(
  {
    kind: fc.constant('close' as const),
    connectionId,
    code: fc.integer({ min: 1000, max: 4999 }),
    reason: fc.string({ unit: 'grapheme' }),
  },
  { requiredKeys: ['kind', 'connectionId', 'code'] },
);

const presence = fc.record({
  kind: fc.constant('presence' as const),
  userId: connectionId,
  presence: fc.json(),
});
const judge = fc.record({ kind: fc.constant('judge' as const), userId: connectionId });

describe('inbox codec', () => {
  it('gives back what was encoded, from text and from bytes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(changed, push, all, tells, close, presence, judge)),
        (items) => {
          const payload = encodeInbox(items);
          expect(decodeAll(payload)).toEqual({ items, skipped: 0 });
          expect(decodeAll(Buffer.from(payload))).toEqual({ items, skipped: 0 });
        },
      ),
    );
  });

  it('never throws on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        decodeAll(Buffer.from(bytes));
      }),
    );
  });

  it('hands frames on as views into the payload', () => {
    const payload = Buffer.from(encodeInbox([{ kind: 'push', connections: ['c'], frame: '{}' }]));
    decodeInbox(payload, {
      changed: () => undefined,
      push: (_, frame) => expect(frame.buffer).toBe(payload.buffer),
      all: () => undefined,
      tells: () => undefined,
      close: () => undefined,
      presence: () => undefined,
      judge: () => undefined,
    });
    expect.assertions(1);
  });

  it('names the end of a push where a reader of before sees a connection that is gone', () => {
    const item = { kind: 'push' as const, connections: ['c1', 'c2'], frame: '{}', untilMs: 1_700 };
    expect(encodeInbox([item])).toBe('p c1,c2,@1700\n{}\n');
  });

  it('skips kinds that came later, and goes on behind them', () => {
    const known = encodeInbox([{ kind: 'push', connections: ['c1'], frame: '{"a":1}' }]);
    const { items, skipped } = decodeAll(`a everyone\n{"changed":["me"]}\n${known}z\n\n`);
    expect(items).toEqual([{ kind: 'push', connections: ['c1'], frame: '{"a":1}' }]);
    expect(skipped).toBe(2);
  });

  it.each([
    'n \n\n',
    'p c1\n{}',
    'p c1',
    'p c1,@\n{}\n',
    'p c1,@1e3\n{}\n',
    '\n',
    'b \n{}\n',
    'b 1e3\n{}\n',
    'v u1\n{}\n',
    'v  c1\n{}\n',
    'c c1 4506\nnot json\n',
    'c c1 4506\n{}\n',
    'c c1 x\n\n',
  ])('counts the broken item %j as skipped', (payload) =>
    expect(decodeAll(payload)).toEqual({ items: [], skipped: 1 }),
  );

  it.each(['a,b', 'a\nb', 'a b', ''])('refuses the connection id %j', (bad) => {
    expect(() => encodeInbox([{ kind: 'push', connections: [bad], frame: '{}' }])).toThrow(
      InvalidRedisId,
    );
    expect(() => encodeInbox([{ kind: 'tells', of: bad, connections: [], frame: '{}' }])).toThrow(
      InvalidRedisId,
    );
    expect(() => encodeInbox([{ kind: 'close', connectionId: bad, code: 4506 }])).toThrow(
      InvalidRedisId,
    );
  });

  it('refuses a frame with a raw newline', () => {
    const item: InboxItem = { kind: 'push', connections: ['c'], frame: '{\n}' };
    expect(() => encodeInbox([item])).toThrow(TypeError);
  });
});
