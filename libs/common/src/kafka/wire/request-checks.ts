import type { RequestQueue } from './kafkajs-requests';

/**
 * Lets a connection check its waiting requests only while there are any. kafkajs does so for as
 * long as the connection lives, with a negative delay: every millisecond, and newer versions of
 * Node warn.
 */
export function checkWhenWaiting(queue: RequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}
