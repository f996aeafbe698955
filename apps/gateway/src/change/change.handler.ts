import { isEditable } from '@tidings/protocol/content';
import { TidingsError } from '@tidings/protocol/errors';
import type { ChangeFrame } from '@tidings/protocol/frames';
import { toTidingsError } from '@tidings/common/runtime/problem.filter';
import type { ChangeRequest } from '@tidings/common/log-records/change-record';
import type { SendCounts } from '../send/send-counts';
import type { Connection } from '../socket/connection';
import type { ChangeFrames } from '../socket/frame-router';
import type { WriteQueue } from '../socket/write-queue';
import type { ChangeService } from './change.service';

/** Changes of one socket that may wait behind each other. */
export const MAX_CHANGES = 32;
const BUSY_RETRY_MS = 1_000;

export interface ChangeHandlerParts {
  service: Pick<ChangeService, 'change'>;
  writes: WriteQueue;
  counts: SendCounts;
}

/**
 * Answers `edit` and `delete` frames: one after the other per socket, without holding up its other
 * frames.
 */
export class ChangeHandler implements ChangeFrames {
  private readonly waiting = new Map<Connection, ChangeFrame[]>();

  constructor(private readonly parts: ChangeHandlerParts) {}

  /** Takes one change. The promise, if there is one: of all that waits on this socket. */
  handle(connection: Connection, frame: ChangeFrame): Promise<void> | void {
    const waiting = this.waiting.get(connection);
    if (waiting && waiting.length >= MAX_CHANGES) {
      const error = new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS });
      return this.refuse(connection, frame, error);
    }
    if (waiting) {
      waiting.push(frame);
      return;
    }
    this.waiting.set(connection, [frame]);
    return this.work(connection);
  }

  /** Refuses a change that came too soon. */
  limited(connection: Connection, frame: ChangeFrame, error: TidingsError): void {
    this.refuse(connection, frame, error);
  }

  private async work(connection: Connection): Promise<void> {
    const waiting = this.waiting.get(connection) ?? [];
    try {
      for (let frame = waiting[0]; frame && !connection.ended; frame = waiting[0]) {
        await this.answer(connection, frame);
        waiting.shift();
      }
    } finally {
      this.waiting.delete(connection);
    }
  }

  private async answer(connection: Connection, frame: ChangeFrame): Promise<void> {
    try {
      const changed = await this.parts.service.change(requestOf(connection, frame));
      if (changed) this.parts.writes.send(connection, JSON.stringify(changed));
    } catch (error) {
      this.refuse(connection, frame, toTidingsError(error));
    }
  }

  private refuse(connection: Connection, frame: ChangeFrame, error: TidingsError): void {
    const { changeId, conversationId } = frame;
    this.parts.counts.refused(error.code);
    this.parts.writes.refuse(connection, frame.type, error, { ref: changeId, conversationId });
  }
}

function requestOf({ userId, deviceId }: Connection, frame: ChangeFrame): ChangeRequest {
  const { conversationId, messageId, changeId } = frame;
  const content = frame.type === 'edit' ? frame.content : null;
  if (content !== null && !isEditable(content)) throw new TidingsError('not_allowed');
  return { conversationId, messageId, changeId, userId, deviceId, content };
}
