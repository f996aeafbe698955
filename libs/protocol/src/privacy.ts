import { blockEffect } from './blocks';
import { TidingsError } from './errors';
import type { Privacy } from './http';

/**
 * What somebody who is not admitted by a setting meets.
 * - `passes`: as if there were no setting.
 * - `refused`: error `not_allowed`; nothing happens.
 * - `unseen`: the answer is as if there were nothing to see.
 */
type PrivacyEffect = 'passes' | 'refused' | 'unseen';

/**
 * `contact`: somebody in the contacts of the setting's owner. Having the owner as a contact does
 * not count.
 */
type Standing = 'contact' | 'stranger';

type Row = Readonly<Record<Standing, PrivacyEffect>>;

const OPEN = { contact: 'passes', stranger: 'passes' } as const;

/**
 * The rules of privacy: setting × value → effect on what a contact and a stranger do towards the
 * owner. `readReceipts` does not depend on contacts and is not in it. docs/PROTOCOL.md shows this
 * table.
 */
export const PRIVACY_TABLE = {
  /** A user's presence, as the other user sees it. It works both ways, see {@link seesPresence}. */
  lastSeen: {
    everyone: OPEN,
    contacts: { contact: 'passes', stranger: 'unseen' },
    nobody: { contact: 'unseen', stranger: 'unseen' },
  },
  /** A direct conversation that does not exist yet. An existing one goes on. */
  messages: {
    everyone: OPEN,
    contacts: { contact: 'passes', stranger: 'refused' },
  },
  /** A new group with the owner of the setting, or adding them to a group. */
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

/** Settings that refuse, and that may be asked about for many people at once. */
export type RefusingSetting = 'messages' | 'groups';

function effect(row: Row, hasThem: boolean): PrivacyEffect {
  return row[hasThem ? 'contact' : 'stranger'];
}

/** What one user of a pair lets the other see, and their relation to the other. */
export interface PresenceSide {
  lastSeen: Privacy['lastSeen'];
  /** This user has the other one as a contact. */
  hasOther: boolean;
  /** This user blocks the other one. */
  blocksOther: boolean;
}

/**
 * Whether the viewer may see the other user's presence. `lastSeen` works both ways: users who hide
 * theirs see nobody's. A block works one way, as in `BLOCK_TABLE`. Not to be asked about oneself.
 */
export function seesPresence(viewer: PresenceSide, other: PresenceSide): boolean {
  if (other.blocksOther && blockEffect('presence', 'blocker') === 'unseen') return false;
  if (viewer.blocksOther && blockEffect('presence', 'blocked') === 'unseen') return false;
  return showsPresence(other) && showsPresence(viewer);
}

function showsPresence({ lastSeen, hasOther }: PresenceSide): boolean {
  return effect(PRIVACY_TABLE.lastSeen[lastSeen], hasOther) === 'passes';
}

/** The relation of one of several people to the user who acts on all of them. */
export interface Admission<S extends RefusingSetting = RefusingSetting> {
  value: Privacy[S];
  /** Whether this person has the acting user as a contact. */
  hasThem: boolean;
}

/**
 * Throws `not_allowed` when the setting of any of these people refuses the acting user. The error
 * does not say whose setting it is, or how many refuse.
 */
export function requireAdmitted(setting: RefusingSetting, people: readonly Admission[]): void {
  const refuses = ({ value, hasThem }: Admission): boolean =>
    effect(PRIVACY_TABLE[setting][value], hasThem) === 'refused';
  if (people.some(refuses)) throw new TidingsError('not_allowed');
}
