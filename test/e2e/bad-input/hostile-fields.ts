import { uuidv7 } from 'uuidv7';
import { LIMITS } from '@tidings/protocol/limits';

/** The value of a logged-in user's frame that once ended a gateway: as long as a position, of letters. */
export const LETTERS = 'aaaaaaaaaaaaaaaaaaa';

/** Longer than any log line may be, and still in one frame. */
const LONG = 'x'.repeat(60_000);
/** Moves a terminal's cursor, forges a second log line, turns the direction of text around. */
const CONTROLS = '\u001b[2J\r\n{"level":"error","msg":"forged"}\u0000\u0007\u202e\u2028';

const OF_NO_USE: readonly unknown[] = [
  null,
  true,
  0,
  1e308,
  [],
  {},
  { toString: 1 },
  JSON.parse('{"__proto__":{"polluted":true}}'),
  '',
  ' 1 ',
  '\ud800',
  CONTROLS,
  LONG,
];
/** Wrong for every field that holds a position. */
export const POSITIONS = [
  ...OF_NO_USE,
  LETTERS,
  '-1',
  '+1',
  '01',
  '1e9',
  '0x10',
  '1n',
  '١٢٣',
  '9223372036854775808',
  '9'.repeat(5_000),
];
/** Wrong for every id. */
const IDS = [...OF_NO_USE, '../../etc/passwd', 'a b', "x'; DROP TABLE messages; --"];
const UUIDS = [...IDS, LETTERS, '__proto__', uuidv7().toUpperCase()];
const DIGESTS = OF_NO_USE.filter((value) => typeof value !== 'string' || value === LONG);
const SINCES = [...DIGESTS, '', 'A'.repeat(LIMITS.sinceChars + 1)];

type Field = readonly [frame: () => object, field: string, values: readonly unknown[]];

const text = { kind: 'text', text: 'x' };
const place = { conversationId: 'x', position: '1' };
const send = () => ({ type: 'send', messageId: uuidv7(), content: text });
const reply = () => ({ ...send(), conversationId: 'x' });
const change = { changeId: uuidv7(), messageId: uuidv7(), conversationId: 'x' };
const sync = { type: 'sync', ref: 'r' };

/** For every field of every frame that a client may write what it likes into: a frame, and bad values. */
const FIELDS: readonly Field[] = [
  [send, 'messageId', UUIDS],
  [send, 'to', UUIDS],
  [send, 'conversationId', IDS],
  [reply, 'replyTo', UUIDS],
  ...['read', 'received'].flatMap((type): Field[] => [
    [() => ({ type, ...place }), 'position', POSITIONS],
    [() => ({ type, ...place }), 'conversationId', IDS],
  ]),
  ...[{ type: 'edit', content: text }, { type: 'delete' }].flatMap((frame): Field[] => [
    [() => ({ ...frame, ...change }), 'changeId', UUIDS],
    [() => ({ ...frame, ...change }), 'messageId', UUIDS],
    [() => ({ ...frame, ...change }), 'conversationId', IDS],
  ]),
  [() => ({ type: 'typing', active: true }), 'conversationId', IDS],
  [() => ({ type: 'typing', conversationId: 'x' }), 'active', POSITIONS.filter((v) => v !== true)],
  [() => ({ type: 'activity' }), 'kind', POSITIONS],
  [() => ({ type: 'state' }), 'mode', POSITIONS],
  [() => ({ type: 'watch' }), 'userIds', OF_NO_USE.filter((v) => !Array.isArray(v))],
  [() => ({ type: 'watch', userIds: [] }), 'ref', SINCES],
  [() => sync, 'since', SINCES],
  [() => sync, 'asOf', [...OF_NO_USE, LETTERS, '2026-13-45T99:99:99Z']],
  [() => sync, 'conversations', OF_NO_USE.filter((v) => !Array.isArray(v))],
  [() => ({ type: 'sync' }), 'ref', SINCES],
  [() => ({ type: 'ping' }), 'ref', SINCES],
];

const ENTRY_FIELDS: readonly [field: string, values: readonly unknown[]][] = [
  ['conversationId', IDS],
  ['position', POSITIONS],
  ['digest', DIGESTS],
];

/** Frames of every type, each with one field that no client of ours would write. */
export function hostileFrames(): string[] {
  const frames = FIELDS.flatMap(([frame, field, values]) =>
    values.map((value) => ({ ...frame(), [field]: value })),
  );
  const syncs = ENTRY_FIELDS.flatMap(([field, values]) =>
    values.map((value) => {
      const conversations = [{ ...place, digest: 'd', [field]: value }];
      return { type: 'sync', ref: 'r', conversations };
    }),
  );
  const types = OF_NO_USE.map((type) => ({ type, ref: 'r' }));
  return [...frames, ...syncs, ...types].map((frame) => JSON.stringify(frame));
}
