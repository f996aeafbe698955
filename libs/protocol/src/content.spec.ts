import { changeHashText, contentHashText, contentProblem, type Content } from './content';
import { extrasFields, extrasOf, extrasProblem } from './extras';
import { FEATURES, parseClientFrame } from './frames';
import { putMessageBody } from './http';
import { canonicalJson } from './json';
import { LIMITS } from './limits';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER = '01890a5d-ac96-774b-bcce-b302099a8001';

/** JSON of so many levels. */
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
/** JSON of so many bytes. */
const sized = (bytes: number): string => 'é'.repeat((bytes - 2) >> 1) + 'x'.repeat(bytes % 2);

function sent(more: Record<string, unknown>): string {
  const frame = {
    type: 'send',
    messageId: ID,
    conversationId: 'c',
    content: { kind: 'text', text: 'hi' },
    ...more,
  };
  const parsed = parseClientFrame(JSON.stringify(frame));
  return 'frame' in parsed ? 'taken' : parsed.refusal.code;
}

const custom = (data: unknown): Record<string, unknown> => ({ content: { kind: 'custom', data } });

describe('what a send may carry', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['a reply', { replyTo: OTHER }, 'taken'],
    ['a reply to no id', { replyTo: 'x' }, 'invalid_frame'],
    ['no mention', { mentions: [] }, 'taken'],
    ['as many mentions as allowed', { mentions: Array(50).fill(OTHER) }, 'taken'],
    ['one mention more', { mentions: Array(51).fill(OTHER) }, 'invalid_frame'],
    ['a mention of no user', { mentions: ['@ann'] }, 'invalid_frame'],
    ['any meta', { meta: { a: [1, null, 'x'] } }, 'taken'],
    ['meta null', { meta: null }, 'taken'],
    ['meta of 2 KiB', { meta: sized(2048) }, 'taken'],
    ['meta of a byte more', { meta: sized(2049) }, 'payload_too_large'],
    ['meta of 16 levels', { meta: nested(16) }, 'taken'],
    ['meta of 17 levels', { meta: nested(17) }, 'invalid_frame'],
    ['meta with NUL', { meta: { a: 'x\u0000' } }, 'invalid_frame'],
    ['meta with NUL in a key', { meta: { 'a\u0000': 1 } }, 'invalid_frame'],
    ['meta with a lone surrogate', { meta: ['\ud800'] }, 'invalid_frame'],
    ['custom data', custom({ x: 1 }), 'taken'],
    ['custom data null', custom(null), 'taken'],
    ['custom without data', { content: { kind: 'custom' } }, 'invalid_frame'],
    ['custom data of 16 KiB', custom(sized(16_384)), 'taken'],
    ['custom data of a byte more', custom(sized(16_385)), 'payload_too_large'],
    ['custom data of 16 levels', custom(nested(16)), 'taken'],
    ['custom data of 17 levels', custom(nested(17)), 'invalid_frame'],
    ['custom data with NUL', custom('\u0000'), 'invalid_frame'],
    ['custom with a text', { content: { kind: 'custom', data: 1, text: 'x' } }, 'invalid_frame'],
    ['something unknown', { reply: OTHER }, 'invalid_frame'],
  ])('%s', (_what, more, outcome) => {
    expect(sent(more)).toBe(outcome);
  });

  it.each([
    ['a number that JSON cannot give back', '1e999'],
    ['more levels than a stack has', '['.repeat(30_000) + ']'.repeat(30_000)],
  ])('refuses %s', (_what, data) => {
    const text = `{"type":"send","messageId":"${ID}","conversationId":"c","content":{"kind":"custom","data":${data}}}`;
    expect(parseClientFrame(text)).toMatchObject({ refusal: { code: 'invalid_frame', ref: ID } });
  });

  it('takes the same over HTTP', () => {
    const content = { kind: 'custom', data: [1] };
    const body = { content, replyTo: OTHER, mentions: [OTHER], meta: { a: 1 } };
    expect(putMessageBody.parse(body)).toEqual(body);
    expect(putMessageBody.safeParse({ content, reply: OTHER }).success).toBe(false);
    expect(extrasProblem({ meta: sized(2049) })).toBe('payload_too_large');
    expect(contentProblem({ kind: 'custom', data: nested(17) })).toBe('invalid_request');
  });

  it('is announced', () => expect(FEATURES).toContain('extras'));

  it('limits are those of the protocol', () => {
    expect([LIMITS.metaBytes, LIMITS.customBytes, LIMITS.mentions]).toEqual([2048, 16_384, 50]);
  });
});

describe('edits and deletions', () => {
  const ids = { changeId: OTHER, messageId: ID, conversationId: 'c' };
  const text = (bytes: number) => ({ content: { kind: 'text', text: 'x'.repeat(bytes) } });
  it.each<[string, Record<string, unknown>, string]>([
    ['an edit', { type: 'edit', ...ids, ...text(16_384) }, 'taken'],
    ['an edit of a byte more', { type: 'edit', ...ids, ...text(16_385) }, 'text_too_long'],
    ['an edit with NUL', { type: 'edit', ...ids, ...custom('\u0000') }, 'invalid_frame'],
    ['an edit of custom data', { type: 'edit', ...ids, ...custom(sized(16_384)) }, 'taken'],
    [
      'an edit of more data',
      { type: 'edit', ...ids, ...custom(sized(16_385)) },
      'payload_too_large',
    ],
    ['an edit without content', { type: 'edit', ...ids }, 'invalid_frame'],
    ['an edit of other fields', { type: 'edit', ...ids, ...text(1), meta: 1 }, 'invalid_frame'],
    ['a deletion', { type: 'delete', ...ids }, 'taken'],
    ['a deletion with content', { type: 'delete', ...ids, ...text(1) }, 'invalid_frame'],
    ['a deletion without an id', { ...ids, type: 'delete', changeId: 'x' }, 'invalid_frame'],
    ['a deletion to a user', { type: 'delete', ...ids, to: OTHER }, 'invalid_frame'],
  ])('%s', (_what, frame, outcome) => {
    const parsed = parseClientFrame(JSON.stringify(frame));
    expect('frame' in parsed ? 'taken' : parsed.refusal.code).toBe(outcome);
    if ('frame' in parsed) return;
    expect(parsed.refusal).not.toHaveProperty('messageId');
    expect(parsed.refusal.ref).toBe(frame['changeId'] === OTHER ? OTHER : undefined);
  });

  it('hash by what they ask for', () => {
    const one: Content = { kind: 'text', text: 'a' };
    const texts = [
      changeHashText(ID, one),
      changeHashText(OTHER, one),
      changeHashText(ID, { kind: 'custom', data: 'a' }),
      changeHashText(ID, null),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('are announced', () => expect(FEATURES).toContain('changes'));
});

describe('contentHashText', () => {
  const text: Content = { kind: 'text', text: 'a' };

  it('of a plain text is what it always was', () => {
    expect(contentHashText(text)).toBe('["text","a"]');
    expect(contentHashText(text, extrasOf({}))).toBe('["text","a"]');
  });

  it('tells sends apart by everything they carry', () => {
    const texts = [
      contentHashText(text),
      contentHashText({ kind: 'custom', data: 'a' }),
      contentHashText({ kind: 'custom', data: ['a'] }),
      contentHashText(text, { replyTo: ID }),
      contentHashText(text, { mentions: [ID] }),
      contentHashText(text, { mentions: [] }),
      contentHashText(text, { meta: null }),
      contentHashText(text, { meta: { mentions: [ID] } }),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('does not depend on the order of keys', () => {
    const one = { kind: 'custom', data: { b: [{ y: 1, x: 2 }], a: 'é' } } as const;
    const two = { kind: 'custom', data: { a: 'é', b: [{ x: 2, y: 1 }] } } as const;
    expect(contentHashText(one)).toBe(contentHashText(two));
    expect(JSON.parse(canonicalJson(one.data))).toEqual(one.data);
  });
});

describe('extrasFields', () => {
  it('go behind the other fields of an object', () => {
    const extras = { replyTo: ID, mentions: [OTHER], meta: { 'a"': '\u2028' } };
    expect(JSON.parse(`{"x":1${extrasFields(extras)}}`)).toEqual({ x: 1, ...extras });
    expect(extrasFields({})).toBe('');
  });
});
