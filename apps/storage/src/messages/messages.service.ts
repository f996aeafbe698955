import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { STORAGE_RPC, RpcInput, RpcOutput } from '@tidings/common/rpc/calls';
import { LogState } from '../log/log-state';
import { Progress } from '../log/progress';
import { MessagesRepository } from './messages.repository';

type Rpc = typeof STORAGE_RPC;

/** How long a newest page waits for its read barrier, in milliseconds. */
const BARRIER_WITHIN_MS = 2_000;

/** Answers questions about messages. */
@Injectable()
export class MessagesService {
  constructor(
    private readonly messages: MessagesRepository,
    private readonly progress: Progress,
    private readonly log: LogState,
  ) {}

  /**
   * A page of a conversation's history: with `after` the oldest above it, else the newest (below
   * `before`). Throws `no_such_conversation`, for outsiders too.
   */
  async history(
    input: RpcInput<Rpc, 'messages.history'>,
  ): Promise<RpcOutput<Rpc, 'messages.history'>> {
    const { userId, conversationId, before, after, limit, barrier } = input;
    let visibleFrom = await this.visibleFrom(userId, conversationId);
    const late = barrier !== undefined && !(await this.reached(conversationId, barrier));
    if (barrier !== undefined) visibleFrom = await this.visibleFrom(userId, conversationId);
    const page = await this.messages.history({ userId, visibleFrom }, conversationId, {
      before: before ?? null,
      after: after ?? null,
      limit,
    });
    return late ? { ...page, delayed: true } : page;
  }

  /** First appends of message ids, once the offsets that callers name are applied. */
  async first(input: RpcInput<Rpc, 'messages.first'>): Promise<RpcOutput<Rpc, 'messages.first'>> {
    const targets = input.ids.map(({ conversationId, after }) =>
      after === undefined
        ? null
        : { partition: this.log.partitionOf(conversationId), next: BigInt(after) + 1n },
    );
    const waited = targets.filter((target) => target !== null);
    if (waited.length > 0) await this.progress.wait(waited, input.waitMs);
    const found = await this.messages.first(this.log.topic, input.ids);
    return {
      items: found.map(({ first, applied }, i) => {
        const target = targets[i];
        const reached = !target || BigInt(applied[target.partition] ?? 0) >= target.next;
        return { applied: reached, first };
      }),
    };
  }

  /** A message and the state of a change of it, as far as this user may know them. */
  async get(input: RpcInput<Rpc, 'messages.get'>): Promise<RpcOutput<Rpc, 'messages.get'>> {
    const { conversationId, next, waitMs } = input;
    const partition = this.log.partitionOf(conversationId);
    const target = next === undefined ? null : { partition, next: BigInt(next) };
    if (target) await this.progress.wait([target], waitMs ?? 0);
    const topic = { topic: this.log.topic, partition };
    const { appliedTo, ...answer } = await this.messages.changeTarget(topic, input);
    return { ...answer, applied: !target || appliedTo >= target.next };
  }

  private async visibleFrom(userId: string, conversationId: string): Promise<string> {
    const from = await this.messages.visibleFrom(userId, conversationId);
    if (from === null) throw new TidingsError('no_such_conversation');
    return from;
  }

  private async reached(conversationId: string, barrier: (string | null)[]): Promise<boolean> {
    const partition = this.log.partitionOf(conversationId);
    const next = barrier[partition];
    if (next == null) return false;
    return this.progress.wait([{ partition, next: BigInt(next) }], BARRIER_WITHIN_MS);
  }
}
