import { decodeRecord, encodeHeaders } from './record';

const plain = { attributes: 0, timestamp: '1700000000000', offset: '9007199254740993' };

it('reads back the headers it writes', () => {
  const event = {
    type: 't',
    id: 'i',
    time: '2026-01-01T00:00:00Z',
    headers: { traceparent: 'tp' },
  };
  const headers = encodeHeaders(event, { source: 's', epoch: 4, again: true });
  const message = { ...plain, key: Buffer.from('k'), value: Buffer.from('{}'), headers };
  expect(decodeRecord('topic', 2, message)).toMatchObject({
    topic: 'topic',
    partition: 2,
    offset: 9007199254740993n,
    key: 'k',
    type: 't',
    id: 'i',
    source: 's',
    time: '2026-01-01T00:00:00Z',
    epoch: 4,
    again: true,
    timestamp: 1700000000000,
    value: Buffer.from('{}'),
  });
});

it.each([
  ['nothing at all', { ...plain, key: null, value: null, headers: {} }],
  ['headers of others', { ...plain, key: null, value: null, headers: { epoch: ['x', 'y'] } }],
])('reads a record with %s without throwing', (_, message) => {
  expect(decodeRecord('topic', 0, message)).toMatchObject({
    key: '',
    type: '',
    id: '',
    epoch: -1,
    again: false,
    value: Buffer.alloc(0),
  });
});
