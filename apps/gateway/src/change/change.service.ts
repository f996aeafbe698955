import { TidingsError } from '@tidings/protocol/errors';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { ChangedFrame } from '@tidings/protocol/frames';
import type { ChangeTarget } from '@tidings/common/rpc/calls';
import type { AppendResult, LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { changeProblem } from './change-rules';
import type { Membership } from '../members/membership';
import type { StorageClient } from '../service-clients';
import { isoTime } from '../socket/iso-time';
import type { ReadBarrier } from '../sync/read-barrier';
import {
  changeHashOf,
  changeRecord,
  type ChangeRequest,
} from '@tidings/common/log-records/change-record';
import { pause } from '@tidings/common/runtime/waiting';

/** How long storage may take for an answer, in milliseconds, beside what it waits for the log. */
const LOOKUP_MS = 1_500;
/** How long storage may wait until it has applied the read barrier. */
const BARRIER_WAIT_MS = 2_000;
/** How long one call lets storage wait until it has applied the change. */
const APPLY_WAIT_MS = 250;
/** How long the log, and then storage, may take until the client asks again. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 250;
const BUSY_RETRY_MS = 1_000;

/** Why a change is not in the log, as an error code. */
const REFUSALS = {
  too_large: 'payload_too_large',
  unencodable: 'internal',
  stopped: 'unavailable',
} as const;

export interface ChangeServiceParts {
  storage: Pick<StorageClient, 'call'>;
  barrier: Pick<ReadBarrier, 'take'>;
  membership: Pick<Membership, 'maySend' | 'requireSender'>;
  writer: Pick<LogWriter, 'append'>;
  /** Monotonic milliseconds. */
  clock: () => number;
  /** Unix milliseconds. */
  wallClock: () => number;
}

/**
 * Edits and deletes messages for everybody. Storage knows the message, who may change it, and the
 * first change under an id; so it is asked before the append, and again for the answer.
 */
export class ChangeService {
  constructor(private readonly parts: ChangeServiceParts) {}

  /**
   * The message after the change; null when the outcome is not known in time: the same change may
   * be asked for again. Throws `no_such_conversation`, `blocked`, `not_found`, `not_allowed`,
   * `message_id_conflict`, `payload_too_large`, `busy`, `unavailable`.
   */
  async change(request: ChangeRequest): Promise<ChangedFrame | null> {
    // broadcasters alone delete there, by a call of their own
    if (request.conversationId === EVERYONE_ID) throw new TidingsError('not_allowed');
    const target = await this.look(request);
    if (target.change) return answerOf(request, target);
    const problem = changeProblem(target, request);
    if (problem !== null || !target.message) throw new TidingsError(problem ?? 'not_found');
    const { membership } = this.parts;
    const { conversationId, userId } = request;
    if (!membership.maySend(conversationId, userId)) {
      await membership.requireSender(conversationId, userId);
    }
    const { wallClock } = this.parts;
    const result = await this.append(changeRecord(request, target.message, isoTime(wallClock())));
    if (result === null) return null;
    if (result.ok) return this.confirm(request, result.offset + 1n);
    throw new TidingsError(REFUSALS[result.reason]);
  }

  /**
   * A message that storage does not know may have come into the log just now, and so may a change by
   * somebody who is no member any more: once more.
   */
  private async look(request: ChangeRequest): Promise<ChangeTarget> {
    const first = await this.ask(request);
    if (first.message ?? first.change) return first;
    const barrier = await this.parts.barrier.take();
    const next = barrier?.[partitionOf(request.conversationId, barrier.length)] ?? null;
    if (next === null) throw new TidingsError('unavailable');
    const second = await this.ask(request, next, BARRIER_WAIT_MS);
    if (second.message ?? second.change) return second;
    if (!second.applied) throw new TidingsError('unavailable');
    throw new TidingsError(second.role === null ? 'no_such_conversation' : 'not_found');
  }

  private ask(request: ChangeRequest, next?: string, waitMs = 0): Promise<ChangeTarget> {
    const { userId, conversationId, messageId, changeId } = request;
    const input = { userId, conversationId, messageId, changeId, next, waitMs };
    return this.parts.storage.call('messages.get', input, { timeoutMs: LOOKUP_MS + waitMs });
  }

  /** Appends; null when the log has not answered in time (the record may follow yet). */
  private append(record: ReturnType<typeof changeRecord>): Promise<AppendResult | null> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => resolve(null), PATIENCE_MS);
      const done = (result: AppendResult): void => {
        clearTimeout(timer);
        resolve(result);
      };
      if (this.parts.writer.append(record, done)) return;
      clearTimeout(timer);
      reject(new TidingsError('busy', { retryAfterMs: BUSY_RETRY_MS }));
    });
  }

  /** Asks storage what became of an appended change, until it has applied its record. */
  private async confirm(request: ChangeRequest, next: bigint): Promise<ChangedFrame | null> {
    const { clock } = this.parts;
    const until = clock() + PATIENCE_MS;
    while (clock() < until) {
      const target = await this.tryAsk(request, next);
      if (target?.change) return answerOf(request, target);
      if (target?.applied) return null;
      if (target === null) await pause(PAUSE_MS);
    }
    return null;
  }

  private async tryAsk(request: ChangeRequest, next: bigint): Promise<ChangeTarget | null> {
    try {
      return await this.ask(request, String(next), APPLY_WAIT_MS);
    } catch (error) {
      if (error instanceof TidingsError && !error.retryable) throw error;
      return null;
    }
  }
}

/**
 * The answer about a change id that is in the log: its first record counts. Whoever made it is told so,
 * also when they see the message no more: then what they asked for, and nothing that came behind it.
 */
function answerOf(request: ChangeRequest, target: ChangeTarget): ChangedFrame {
  const { change, message, previous, visible } = target;
  const { changeId, messageId, userId, content } = request;
  const same =
    change?.userId === userId &&
    change.messageId === messageId &&
    (change.hash === null || change.hash === changeHashOf(request));
  // who has left is told what became of what they asked for, and of nothing else
  if (!same) throw new TidingsError(visible ? 'message_id_conflict' : 'no_such_conversation');
  if (!message) throw new TidingsError('not_found');
  const about = { type: 'changed', changeId, previous } as const;
  if (!visible) {
    const { deleted, ...place } = message;
    const asked = content === null ? { content: message.content, deleted } : { content };
    return { ...place, ...about, ...asked, hidden: true };
  }
  if (message.deleted || content === null) return { ...message, ...about };
  return { ...message, ...about, content, version: change.position };
}
