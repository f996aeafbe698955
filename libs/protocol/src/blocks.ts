import { TidingsError } from './errors';

/**
 * What a block does to an act towards the other user of the pair.
 * - `passes`: as if there were no block.
 * - `refused`: error `blocked`; nothing happens.
 * - `unseen`: done and answered as usual; the other user is neither told nor shown it.
 */
export type BlockEffect = 'passes' | 'refused' | 'unseen';

/** Which side of the block the acting user is on. Everybody else acts as if there were no block. */
export type BlockSide = 'blocked' | 'blocker';

/**
 * The rules of blocks: act × side → effect. What reaches only the blocker is refused or unseen.
 * What is said or done in front of a whole group is not filtered. What devices report on their own
 * (presence, receipts) is hidden from the blocked user everywhere; otherwise a message to a shared
 * group would reveal whether the blocker is there. docs/PROTOCOL.md shows this table, and
 * `test/e2e/blocks.e2e-spec.ts` walks through all of it.
 */
export const BLOCK_TABLE = {
  /** A direct conversation that does not exist yet. An existing one is found as usual. */
  'direct.begin': { blocked: 'refused', blocker: 'passes' },
  /** Any content, including replies, over a socket or HTTP. */
  'direct.send': { blocked: 'refused', blocker: 'passes' },
  /** Edits and deletions of messages sent earlier. */
  'direct.change': { blocked: 'refused', blocker: 'passes' },
  'direct.upload': { blocked: 'refused', blocker: 'passes' },
  'direct.lifetime': { blocked: 'refused', blocker: 'passes' },
  'direct.typing': { blocked: 'unseen', blocker: 'unseen' },
  /** A user's marks, pushed and listed, and the times in a trace. */
  'direct.receipts': { blocked: 'passes', blocker: 'unseen' },
  /** History, sync, lists and downloads: what was said stays readable. */
  'direct.look': { blocked: 'passes', blocker: 'passes' },
  'group.create': { blocked: 'refused', blocker: 'passes' },
  'group.add': { blocked: 'refused', blocker: 'passes' },
  /** Removing a member, roles, title and lifetime, by whoever the group allows to. */
  'group.manage': { blocked: 'passes', blocker: 'passes' },
  'group.send': { blocked: 'passes', blocker: 'passes' },
  'group.change': { blocked: 'passes', blocker: 'passes' },
  'group.typing': { blocked: 'passes', blocker: 'passes' },
  'group.receipts': { blocked: 'passes', blocker: 'unseen' },
  /** Adding to the contacts and removing from them. */
  contact: { blocked: 'unseen', blocker: 'passes' },
  /** A user's presence, as the other user sees it. */
  presence: { blocked: 'passes', blocker: 'unseen' },
  /** Names, by id and by search: they are public. */
  profile: { blocked: 'passes', blocker: 'passes' },
} as const satisfies Record<string, Record<BlockSide, BlockEffect>>;

export type BlockAct = keyof typeof BLOCK_TABLE;

/** What a block does to an act by a user on this side of it. */
export function blockEffect(act: BlockAct, side: BlockSide): BlockEffect {
  return BLOCK_TABLE[act][side];
}

/** Throws `blocked` when any of the others blocks the user and the block refuses the act. */
export function requireUnblocked(act: BlockAct, blockedBy: readonly string[]): void {
  if (blockedBy.length > 0 && blockEffect(act, 'blocked') === 'refused') {
    throw new TidingsError('blocked');
  }
}
