import { TidingsError } from './errors';

/**
 * What a block does to an act towards the other one of the pair.
 * - `passes`: it is as without the block.
 * - `refused`: error `blocked`; nothing happens.
 * - `unseen`: it is done and answered as ever; the other one is neither told of it nor shown it.
 */
export type BlockEffect = 'passes' | 'refused' | 'unseen';

/** Which side of a block the acting one is on; everybody else acts as if there were none. */
export type BlockSide = 'blocked' | 'blocker';

/**
 * The rule of blocks: act × side → effect. What reaches the blocker alone is refused or unseen. What
 * is said or done before a whole group is not filtered. What devices tell by themselves (presence,
 * receipts) is kept from the blocked one everywhere, else a message to a shared group would ask
 * whether the blocker is there. docs/PROTOCOL.md shows this table; `test/e2e/blocks.e2e-spec.ts`
 * walks through all of it.
 */
export const BLOCK_TABLE = {
  /** A direct conversation that is not there yet; one that is there is found as ever. */
  'direct.begin': { blocked: 'refused', blocker: 'passes' },
  /** Any content, replies included, over socket or HTTP. */
  'direct.send': { blocked: 'refused', blocker: 'passes' },
  /** Edits and deletions of what was sent before. */
  'direct.change': { blocked: 'refused', blocker: 'passes' },
  'direct.upload': { blocked: 'refused', blocker: 'passes' },
  'direct.lifetime': { blocked: 'refused', blocker: 'passes' },
  'direct.typing': { blocked: 'unseen', blocker: 'unseen' },
  /** One's marks, pushed and listed, and the times in a trace. */
  'direct.receipts': { blocked: 'passes', blocker: 'unseen' },
  /** History, sync, lists and downloads: what was said stays readable. */
  'direct.look': { blocked: 'passes', blocker: 'passes' },
  'group.create': { blocked: 'refused', blocker: 'passes' },
  'group.add': { blocked: 'refused', blocker: 'passes' },
  /** Removing a member, roles, title and lifetime, by whom the group allows it. */
  'group.manage': { blocked: 'passes', blocker: 'passes' },
  'group.send': { blocked: 'passes', blocker: 'passes' },
  'group.change': { blocked: 'passes', blocker: 'passes' },
  'group.typing': { blocked: 'passes', blocker: 'passes' },
  'group.receipts': { blocked: 'passes', blocker: 'unseen' },
  /** Adding to and removing from the contacts. */
  contact: { blocked: 'unseen', blocker: 'passes' },
  /** One's presence, as the other one sees it. */
  presence: { blocked: 'passes', blocker: 'unseen' },
  /** Names, by id and by search: they are everybody's. */
  profile: { blocked: 'passes', blocker: 'passes' },
} as const satisfies Record<string, Record<BlockSide, BlockEffect>>;

export type BlockAct = keyof typeof BLOCK_TABLE;

/** What a block does to an act of somebody on this side of it. */
export function blockEffect(act: BlockAct, side: BlockSide): BlockEffect {
  return BLOCK_TABLE[act][side];
}

/** Throws `blocked` for an act that is refused to somebody whom any of the others blocks. */
export function requireUnblocked(act: BlockAct, blockedBy: readonly string[]): void {
  if (blockedBy.length > 0 && blockEffect(act, 'blocked') === 'refused') {
    throw new TidingsError('blocked');
  }
}
