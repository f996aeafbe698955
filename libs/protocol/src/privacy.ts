import { blockEffect } from './blocks';
import { TidingsError } from './errors';
import type { Privacy } from './http';

/**
 * What somebody meets who is not admitted by a setting.
 * - `passes`: it is as without the setting.
 * - `refused`: error `not_allowed`; nothing happens.
 * - `unseen`: the answer is as if there were nothing to see.
 */
type PrivacyEffect = 'passes' | 'refused' | 'unseen';

/** `contact`: whom the owner of the setting has in the contacts; who has the owner does not count. */
type Standing = 'contact' | 'stranger';

type Row = Readonly<Record<Standing, PrivacyEffect>>;

const OPEN = { contact: 'passes', stranger: 'passes' } as const;

/**
 * The rule of privacy: setting × value → effect on what a contact and a stranger do towards its owner.
 * `readReceipts` is no matter of contacts and not in it. docs/PROTOCOL.md shows this table.
 */
export const PRIVACY_TABLE = {
  /** One's presence, as the other one sees it; it counts both ways, see {@link seesPresence}. */
  lastSeen: {
    everyone: OPEN,
    contacts: { contact: 'passes', stranger: 'unseen' },
    nobody: { contact: 'unseen', stranger: 'unseen' },
  },
  /** A direct conversation that is not there yet; one that is there goes on. */
  messages: {
    everyone: OPEN,
    contacts: { contact: 'passes', stranger: 'refused' },
  },
  /** A new group with the owner of the setting, and adding them to a group. */
  groups: {
    everyone: OPEN,
    contacts: { contact: 'passes', stranger: 'refused' },
  },
  /** A search for the whole e-mail address. */
  findByEmail: {
    true: OPEN,
    false: { contact: 'unseen', stranger: 'unseen' },
  },
} as const satisfies {
  [S in Exclude<keyof Privacy, 'readReceipts'>]: Record<`${Privacy[S]}`, Row>;
};

/** Settings that refuse, and may be asked about for many people at once. */
export type RefusingSetting = 'messages' | 'groups';

function effect(row: Row, hasThem: boolean): PrivacyEffect {
  return row[hasThem ? 'contact' : 'stranger'];
}

/** What somebody of a pair lets the other one see of them, and how they stand to each other. */
export interface PresenceSide {
  lastSeen: Privacy['lastSeen'];
  /** This one has the other one as a contact. */
  hasOther: boolean;
  /** This one blocks the other one. */
  blocksOther: boolean;
}

/**
 * Whether the viewer may see the other one's presence. `lastSeen` counts both ways: who does not show
 * theirs sees nobody's. A block counts one way, as `BLOCK_TABLE` says. Oneself is not asked about.
 */
export function seesPresence(viewer: PresenceSide, other: PresenceSide): boolean {
  if (other.blocksOther && blockEffect('presence', 'blocker') === 'unseen') return false;
  if (viewer.blocksOther && blockEffect('presence', 'blocked') === 'unseen') return false;
  return showsPresence(other) && showsPresence(viewer);
}

function showsPresence({ lastSeen, hasOther }: PresenceSide): boolean {
  return effect(PRIVACY_TABLE.lastSeen[lastSeen], hasOther) === 'passes';
}

/** How one of several people stands to whoever does something with all of them. */
export interface Admission<S extends RefusingSetting = RefusingSetting> {
  value: Privacy[S];
  /** Whether this one has who acts as a contact. */
  hasThem: boolean;
}

/**
 * Throws `not_allowed` when the setting of any of these people refuses who acts; not whose it is, nor
 * of how many.
 */
export function requireAdmitted(setting: RefusingSetting, people: readonly Admission[]): void {
  const refuses = ({ value, hasThem }: Admission): boolean =>
    effect(PRIVACY_TABLE[setting][value], hasThem) === 'refused';
  if (people.some(refuses)) throw new TidingsError('not_allowed');
}
