import { syncRequest } from './frames';

const ID = 'mE2vJ0cGv3Q5s8u1TzX7kY4bN6wLpR9dFhA-iKoUq_g';

describe('the body of a sync', () => {
  it.each([
    ['nothing', {}],
    [
      'a conversation of which nothing is held',
      { conversations: [{ conversationId: ID, position: '0' }] },
    ],
    ['a time to the millisecond', { asOf: '2026-11-24T09:00:00.000Z' }],
    ['a time to the second', { asOf: '2026-11-24T09:00:00Z' }],
  ])('takes %s', (_name, body) => expect(syncRequest.parse(body)).toEqual(body));

  it.each([
    ['the type of the frame', { type: 'sync' }],
    ['a ref', { ref: '1' }],
    ['a time of another zone', { asOf: '2026-11-24T10:00:00+01:00' }],
    ['a time without a zone', { asOf: '2026-11-24T09:00:00' }],
    ['no position', { conversations: [{ conversationId: ID }] }],
  ])('refuses %s', (_name, body) => expect(syncRequest.safeParse(body).success).toBe(false));
});
