import { LogState } from '../log/log-state';
import { decodeEntry } from './record-decoder';
import {
  changedRecord,
  createdRecord,
  messageIdOf,
  PARTITIONS,
  sentRecord,
} from '../../testing/records';

const log = new LogState(
  'chat.messages.v1',
  1,
  Array.from({ length: PARTITIONS }, () => 100n),
);

describe('record of the conversation log', () => {
  it('of a message becomes an entry at its position', () => {
    const decoded = decodeEntry(sentRecord(7n), log);
    expect(decoded).toMatchObject({
      kind: 'entry',
      entry: {
        position: 107n,
        kind: 'text',
        contentHash: 'AAAAAAAAAAAAAAAAAAAAAA',
        expiresAt: null,
        extras: null,
      },
    });
    expect(decoded.kind === 'entry' && JSON.parse(decoded.entry.content)).toEqual({
      kind: 'text',
      text: 'hello',
    });
  });

  it('of a rich message keeps all of it', () => {
    const extras = { replyTo: messageIdOf(1), mentions: [messageIdOf(2)], meta: { a: 'x\u0000' } };
    const content = { kind: 'custom', data: { b: [1] } };
    const decoded = decodeEntry(sentRecord(1n, { content, ...extras }), log);
    expect(decoded).toMatchObject({ kind: 'entry', entry: { kind: 'custom' } });
    if (decoded.kind !== 'entry') return;
    expect(JSON.parse(decoded.entry.content)).toEqual(content);
    expect(JSON.parse(decoded.entry.extras!)).toEqual(extras);
    expect(decoded.entry.extras).not.toContain('\u0000');
  });

  it('of an edit becomes a change at its own position', () => {
    const decoded = decodeEntry(changedRecord(9n), log);
    expect(decoded).toMatchObject({
      kind: 'change',
      change: { position: 109n, messageId: messageIdOf(0), hash: 'BBBBBBBBBBBBBBBBBBBBBB' },
    });
    if (decoded.kind !== 'change') return;
    expect(JSON.parse(decoded.change.content!)).toEqual({ kind: 'text', text: 'better' });
  });

  it('of a deletion has no content', () => {
    const decoded = decodeEntry(changedRecord(9n, { content: { kind: 'deleted' } }), log);
    expect(decoded).toMatchObject({ kind: 'change', change: { content: null } });
  });

  it.each([
    ['another ce_id', {}, { id: messageIdOf(0) }, /ce_id/],
    ['another key', {}, { key: 'conversation-b' }, /key/],
    ['a wrong partition', {}, { partition: (sentRecord(1n).partition + 1) % 4 }, /partition/],
    ['no hash', { changeHash: '' }, {}, /changeHash/],
    ['an event', { content: { kind: 'event', event: {} } }, {}, /content/],
    ['NUL in the text', { content: { kind: 'text', text: '\u0000' } }, {}, /NUL/],
    ['another version', {}, { type: 'tidings.message.changed.v2' }, /unknown version/],
    ['a time that is none', { sentAt: '"' }, {}, /time/],
  ])('of a change with %s is poison', (_what, value, record, reason) => {
    const decoded = decodeEntry(changedRecord(1n, value, record), log);
    expect(decoded).toMatchObject({ kind: 'poison', reason: expect.stringMatching(reason) });
  });

  it('of a creation becomes an event without hash', () => {
    const decoded = decodeEntry(createdRecord(3n), log);
    expect(decoded).toMatchObject({ kind: 'entry', entry: { kind: 'event', contentHash: null } });
  });

  it('keeps unknown fields out and does not mind them', () => {
    const decoded = decodeEntry(sentRecord(1n, { later: true }), log);
    expect(decoded.kind).toBe('entry');
  });

  it.each([
    ['another epoch', { epoch: 2 }, 'epoch'],
    ['no epoch', { epoch: -1 }, 'epoch'],
    ['an unknown type', { type: 'tidings.reaction.set.v1' }, 'type'],
  ])('of %s is ignored', (_what, record, why) => {
    expect(decodeEntry(sentRecord(1n, {}, record), log)).toEqual({ kind: 'ignored', why });
  });

  it.each([
    ['no type', {}, { type: '' }, /ce_type/],
    ['another version', {}, { type: 'tidings.message.sent.v9' }, /unknown version/],
    ['no value', {}, { value: Buffer.alloc(0) }, /not JSON/],
    ['garbage', {}, { value: Buffer.from([0xff, 0x00, 0x7b]) }, /not JSON/],
    ['a number', {}, { value: Buffer.from('7') }, /value/],
    ['no key', {}, { key: '' }, /key/],
    ['another key', {}, { key: 'conversation-b' }, /key/],
    ['another ce_id', {}, { id: 'x' }, /ce_id/],
    [
      'a wrong partition',
      {},
      { partition: (sentRecord(1n).partition + 1) % PARTITIONS },
      /partition/,
    ],
    ['NUL in the text', { content: { kind: 'text', text: 'a\u0000b' } }, {}, /NUL/],
    ['a lone surrogate', { content: { kind: 'text', text: 'a\ud800' } }, {}, /surrogate/],
    ['unknown content', { content: { kind: 'hologram' } }, {}, /content/],
    ['an id that is none', { messageId: 'x' }, {}, /messageId/],
    ['a foreign hash', { contentHash: 'x' }, {}, /contentHash/],
    ['no time', { sentAt: 'yesterday' }, {}, /time/],
    ['an impossible time', { sentAt: '2026-13-01T00:00:00.000Z' }, {}, /time/],
    ['an impossible end', { expiresAt: 'never' }, {}, /time/],
  ])('with %s is poison', (_what, value, record, reason) => {
    const decoded = decodeEntry(sentRecord(1n, value, record), log);
    expect(decoded).toMatchObject({ kind: 'poison', reason: expect.stringMatching(reason) });
  });
});
