import { LIMITS } from '@tidings/common/contracts/limits';

/**
 * Small parts and pages, so that short histories meet the ends of all of them. Import it before
 * anything that reads the limits.
 */
Object.assign(LIMITS, {
  syncMessages: 8,
  syncNewestPerConversation: 5,
  syncFirstPerConversation: 3,
});
