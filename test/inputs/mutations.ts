import fc from 'fast-check';

const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

/** What nobody in their right mind would put into a field. */
export const HOSTILE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 2,
  '',
  ' ',
  'aaaaaaaaaaaaaaaaaaa',
  '9'.repeat(19),
  '9'.repeat(20),
  '9'.repeat(5_000),
  '-1',
  '+1',
  '1e9',
  '0x10',
  '0b1',
  ' 1 ',
  '1n',
  'NaN',
  '١٢٣',
  '\u0000',
  '\u0000'.repeat(19),
  '\ud800',
  '\udc00'.repeat(36),
  '\r\n',
  '\u001b[2J',
  '\u202e',
  '%',
  '%00',
  '%ff',
  '../../etc/passwd',
  "'; DROP TABLE messages; --",
  '{"$ne":null}',
  'x'.repeat(70_000),
  'é'.repeat(40_000),
  '👍'.repeat(20_000),
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59Z',
  '2026-13-45T99:99:99Z',
  '+275760-09-13T00:00:00.001Z',
  '00000000-0000-0000-0000-000000000000',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  [],
  [null],
  [[]],
  {},
  { length: -1 },
  { length: 1e9 },
  { then: 1 },
  { toString: 1 },
  { toJSON: 1 },
  JSON.parse('{"__proto__":{"polluted":1}}'),
  JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'),
  nested(17),
  nested(300),
  Array(1_001).fill('01890a5d-ac96-774b-bcce-b302099a8057'),
  Array(2_000).fill(null),
];

/** One change of an input: which of its places, and what happens there. */
export interface Mutation {
  place: number;
  how: 'replace' | 'remove' | 'add' | 'rename' | 'wrap' | 'append';
  hostile: unknown;
}

const NAMES = ['__proto__', 'constructor', 'toString', 'type', 'kind', 'x', '', 'x'.repeat(70_000)];

export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    place: fc.nat(1_000),
    how: fc.constantFrom('replace', 'replace', 'remove', 'add', 'rename', 'wrap', 'append'),
    hostile: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(...HOSTILE) },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
      { weight: 1, arbitrary: fc.double() },
    ),
  }),
  { minLength: 0, maxLength: 3 },
);

/** A copy of an input with these changes, of what JSON can carry. */
export function mutated(input: unknown, changes: readonly Mutation[]): unknown {
  const root = { value: structuredClone(input) };
  for (const change of changes) apply(root, change);
  return root.value;
}

function apply(root: { value: unknown }, { place, how, hostile: shared }: Mutation): void {
  // a later change may reach into it
  const hostile = structuredClone(shared);
  const places = placesIn(root);
  const at = places[place % places.length]!;
  const [parent, key] = at as [Record<string, unknown>, string];
  const old = parent[key];
  const name = NAMES[place % NAMES.length]!;
  const set = (where: Record<string, unknown>, field: string, value: unknown): void => {
    // as JSON.parse does: a field of that name, not a prototype
    Object.defineProperty(where, field, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  };
  switch (how) {
    case 'replace':
      return set(parent, key, hostile);
    case 'remove':
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else delete parent[key];
      return;
    case 'add':
      if (isPlain(old)) set(old, name, hostile);
      return;
    case 'rename':
      if (!Array.isArray(parent)) set(parent, name, old);
      return;
    case 'wrap':
      return set(parent, key, place % 2 === 0 ? [old] : { value: old });
    case 'append':
      if (typeof old === 'string') {
        set(parent, key, old + (typeof hostile === 'string' ? hostile : JSON.stringify(hostile)));
      }
      if (Array.isArray(old)) old.push(hostile);
      return;
  }
}

/** Every place in an input, the whole of it first; bounded, since hostile values may be deep. */
function placesIn(root: { value: unknown }): [parent: object, key: string][] {
  const places: [object, string][] = [[root, 'value']];
  for (const [parent, key] of places) {
    if (places.length > 200) break;
    const value = (parent as Record<string, unknown>)[key];
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue;
    for (const name of Object.keys(value).slice(0, 50)) places.push([value, name]);
  }
  return places;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text with a few of its characters changed: cut, doubled, swapped for hostile ones. */
export const textMutations = fc.array(
  fc.record({
    at: fc.nat(100_000),
    how: fc.constantFrom('cut', 'double', 'insert', 'drop'),
    text: fc.oneof(
      fc.constantFrom(
        '"',
        '{',
        '}',
        '[',
        '\\',
        '\\u',
        '\u0000',
        '\ud800',
        ',',
        ':',
        '1e999',
        '.',
        '-',
        '~',
        '%',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
  }),
  { maxLength: 4 },
);

/** The text with these changes. */
export function mutatedText(
  text: string,
  changes: readonly { at: number; how: string; text: string }[],
): string {
  let result = text;
  for (const change of changes) {
    const at = result.length === 0 ? 0 : change.at % result.length;
    const [before, after] = [result.slice(0, at), result.slice(at)];
    if (change.how === 'cut') result = before;
    else if (change.how === 'double') result = (before + before + after).slice(0, 100_000);
    else if (change.how === 'drop') result = before + after.slice(1);
    else result = before + change.text + after;
  }
  return result;
}
