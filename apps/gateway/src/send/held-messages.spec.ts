import type { SendReply } from './send-reply';
import { HeldMessages } from './held-messages';

const MESSAGE = { conversationId: 'c', messageId: 'm', senderId: 's', contentHash: 'h' };
const HELD = {
  senderId: 's',
  contentHash: 'h',
  partition: 1,
  sequence: 5,
  bytes: 60,
  waiters: null,
};

function setUp() {
  const held = new HeldMessages();
  const outcomes: string[] = [];
  const reply = (name: string): SendReply => ({
    logged: () => outcomes.push(`${name} logged`),
    held: () => outcomes.push(`${name} held`),
    sent: () => outcomes.push(`${name} sent`),
    refused: ({ code }) => outcomes.push(`${name} ${code}`),
    unknown: () => outcomes.push(`${name} unknown`),
  });
  held.add('c', 'm', { ...HELD });
  return { held, outcomes, reply };
}

describe('a second send of a held id', () => {
  it('is answered held, and told with the first what becomes of it', () => {
    const { held, outcomes, reply } = setUp();
    expect(held.join(MESSAGE, reply('a'))).toBe(true);
    expect(outcomes).toEqual(['a held']);
    expect(held.take('c', 'm')?.waiters).toHaveLength(1);
    expect([held.size, held.join(MESSAGE, reply('b'))]).toEqual([0, false]);
  });

  it.each([{ senderId: 'x' }, { contentHash: 'x' }])('with %j is a conflict', (over) => {
    const { held, outcomes, reply } = setUp();
    expect(held.join({ ...MESSAGE, ...over }, reply('a'))).toBe(true);
    expect(outcomes).toEqual(['a message_id_conflict']);
    expect(held.take('c', 'm')?.waiters).toBeNull();
  });

  it('is no repetition in another conversation', () => {
    const { held, reply } = setUp();
    expect(held.join({ ...MESSAGE, conversationId: 'd' }, reply('a'))).toBe(false);
  });

  it('however often it comes, few wait', () => {
    const { held, reply } = setUp();
    for (let i = 0; i < 100; i++) held.join(MESSAGE, reply(String(i)));
    expect(held.take('c', 'm')?.waiters).toHaveLength(4);
  });
});

it('what a spool has lost is not held any more', () => {
  const { held, outcomes, reply } = setUp();
  held.join(MESSAGE, reply('a'));
  held.lost(0, 0, 100);
  held.lost(1, 0, 5);
  held.lost(1, 6, 9);
  expect(held.size).toBe(1);
  held.lost(1, 5, 6);
  expect([held.size, outcomes]).toEqual([0, ['a held', 'a unknown']]);
});

it('a sender has a share, and nothing overtakes what was refused', () => {
  const held = new HeldMessages(100);
  held.add('c', 'm', { ...HELD });
  expect(held.hasRoom('s', 40)).toBe(true);
  held.add('c', 'n', { ...HELD, bytes: 40 });
  expect(held.hasRoom('s', 1)).toBe(false);
  expect(held.hasRoom('t', 100)).toBe(true);
  expect(held.hasRoom('t', 101)).toBe(false);
  held.take('c', 'n');
  expect(held.hasRoom('s', 41)).toBe(false);
  // a smaller one would fit, but comes behind
  expect(held.hasRoom('s', 1)).toBe(false);
  held.lost(1, 5, 6);
  expect(held.hasRoom('s', 100)).toBe(true);
});
