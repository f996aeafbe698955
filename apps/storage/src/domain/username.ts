import { LIMITS } from '@tidings/protocol/limits';
import { isStorable } from '@tidings/protocol/text';

/** Why a user name is refused; for people. */
export class UsernameProblem extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'UsernameProblem';
  }
}

/** Scripts that names are written in (UAX #31, table 5: recommended scripts). */
const SCRIPTS = [
  'Arab',
  'Armn',
  'Beng',
  'Cyrl',
  'Deva',
  'Ethi',
  'Geor',
  'Grek',
  'Gujr',
  'Guru',
  'Hebr',
  'Khmr',
  'Knda',
  'Laoo',
  'Latn',
  'Mlym',
  'Mymr',
  'Orya',
  'Sinh',
  'Taml',
  'Telu',
  'Thaa',
  'Thai',
  'Tibt',
];

/** Scripts that are written together (UTS #39, "highly restrictive"). */
const TOGETHER = [
  ['Latn', 'Hani', 'Hira', 'Kana'],
  ['Latn', 'Hani', 'Bopo'],
  ['Latn', 'Hani', 'Hang'],
];

const SCRIPT_SETS = [...SCRIPTS.map((s) => [s]), ...TOGETHER].map((set) => {
  const letters = set.map((s) => `\\p{scx=${s}}`).join('');
  return new RegExp(`^[0-9._\\-\\p{scx=Zinh}${letters}]*$`, 'u');
});

/** Full-width and half-width forms (RFC 8265 §3.3.1, width mapping rule). */
const WIDTH_FORMS = /[\uFF00-\uFFEF]/g;

/** PRECIS IdentifierClass narrowed to letters, digits, marks and three ASCII signs. */
const ALLOWED = /^[\p{L}\p{Nd}\p{Mn}\p{Mc}._-]*$/u;

/** Zero-width and bidi controls, variation selectors, fillers: never visible in a name. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/u;

const RIGHT_TO_LEFT = /[\p{scx=Hebr}\p{scx=Arab}\p{scx=Thaa}]/u;
const STARTS_RIGHT_TO_LEFT = /^[\p{scx=Hebr}\p{scx=Arab}\p{scx=Thaa}]/u;

/** Marks beyond two on one letter are drawing, not writing. */
const PILED_MARKS = /[\p{Mn}\p{Mc}]{3}/u;

/** A dot on a letter that has one already: looks like the plain letter. */
const HIDDEN_DOT = /[ij]\u0307/;

/**
 * The form under which a user name is unique and found: UsernameCaseMapped of RFC 8265 (width
 * mapping, lower case, NFC) with these further rules: 3 to 32 code points; letters of one script
 * (or of those that are written together), their digits and `.`, `_`, `-`; no compatibility forms,
 * nothing invisible. Throws {@link UsernameProblem}.
 */
export function usernameKey(typed: string): string {
  if (!isStorable(typed)) throw new UsernameProblem('contains characters that cannot be stored');
  const wide = typed.replace(WIDTH_FORMS, (c) => c.normalize('NFKC')).normalize('NFC');
  // Final sigma is the one letter whose lower case depends on its neighbours.
  const key = wide.toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
  const problem = problemOf(wide, key);
  if (problem !== null) throw new UsernameProblem(problem);
  return key;
}

function problemOf(wide: string, key: string): string | null {
  for (const form of [wide, key]) {
    const length = [...form].length;
    if (length < LIMITS.usernameMinChars || length > LIMITS.usernameMaxChars) {
      return `must have ${LIMITS.usernameMinChars} to ${LIMITS.usernameMaxChars} characters`;
    }
  }
  if (INVISIBLE.test(key)) return 'contains invisible characters';
  if (!ALLOWED.test(key)) return 'may contain letters, digits, ".", "_" and "-"';
  if (key.normalize('NFKC') !== key) return 'contains compatibility forms of characters';
  if (!/[\p{L}\p{Nd}]/u.test(key)) return 'must contain a letter or digit';
  if (/^\p{M}/u.test(key) || PILED_MARKS.test(key.normalize('NFD')) || HIDDEN_DOT.test(key)) {
    return 'contains misplaced marks';
  }
  if (!SCRIPT_SETS.some((set) => set.test(key))) return 'mixes scripts that can be confused';
  if (RIGHT_TO_LEFT.test(key) && !STARTS_RIGHT_TO_LEFT.test(key)) {
    return 'must start with a letter of its script';
  }
  return null;
}

/** {@link usernameKey}; null: nobody can have this name. */
export function nameKey(typed: string): string | null {
  try {
    return usernameKey(typed);
  } catch (error) {
    if (error instanceof UsernameProblem) return null;
    throw error;
  }
}

/** The beginning of user names that a typed search text stands for; null: no name can match it. */
export function usernamePrefix(typed: string): string | null {
  if (!isStorable(typed)) return null;
  const wide = typed.trim().replace(WIDTH_FORMS, (c) => c.normalize('NFKC'));
  return wide.normalize('NFC').toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
}

/** The form under which an e-mail address is unique. */
export function emailKey(typed: string): string {
  return typed.normalize('NFC').toLowerCase();
}
