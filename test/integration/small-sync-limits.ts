import { LIMITS } from '@tidings/protocol/limits';
import { PARTS } from '../../apps/storage/src/domain/sync-bodies';

/**
 * Small parts and pages, so that short histories meet the ends of all of them. Import it before
 * anything that reads the limits.
 */
Object.assign(LIMITS, {
  syncMessages: 8,
  syncNewestPerConversation: 5,
  syncFirstPerConversation: 3,
});

/**
 * Bytes of an answer, and of the changes of one conversation in it: a conversation or two.
 * `SYNC_BYTES=900,300` searches with others.
 */
const [answer = 0, changed = 0] = (process.env['SYNC_BYTES'] ?? '3000,900').split(',').map(Number);
Object.assign(PARTS, { answer, changed });
