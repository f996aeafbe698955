import type { Message } from '@tidings/protocol/content';
import { comparePositions, maxPosition } from '@tidings/protocol/positions';
import { PATIENCE_MS } from './eventually';
import type { Frame, TestSocket } from './test-socket';

/** One entry; `version` and `deleted` as in `Message`. */
export interface HeldEntry {
  position: string;
  version: string;
  deleted: boolean;
  text: string;
}

/** Messages that an answer left out, and how many it gave instead. */
export interface LeftOut {
  above: string;
  below: string;
  given: number;
}

/** What a small client holds of one conversation (docs/PROTOCOL.md, "What a client must do"). */
export interface Held {
  have: string;
  /** message id → the entry with the lowest position seen, as its newest version says */
  byId: Map<string, HeldEntry>;
  aside: { position: string; previous: string }[];
  /** What answers left out because there was too much (`more`): positions between, exclusive. */
  leftOut: LeftOut[];
}

/**
 * A second, small client model, written from the protocol page alone: merges pushes and `synced`
 * answers, keeps `have`, and asks again until an answer is complete.
 */
export class Holding {
  readonly conversations = new Map<string, Held>();
  since: string | undefined;
  /** Entries in the order in which a user would have been shown them the first time. */
  readonly shown: { conversationId: string; messageId: string; position: string }[] = [];
  private syncs = 0;

  held(conversationId: string): Held {
    let held = this.conversations.get(conversationId);
    if (!held) {
      held = { have: '0', byId: new Map(), aside: [], leftOut: [] };
      this.conversations.set(conversationId, held);
    }
    return held;
  }

  /** Takes one frame from a socket. */
  take(frame: Frame): void {
    if (frame.type === 'message' || frame.type === 'conversation') this.push(frame);
    if (frame.type === 'changed') this.push({ ...frame, position: frame['version'] }, frame);
    if (frame.type === 'synced') this.synced(frame);
  }

  /** Text messages of a conversation in their order. */
  texts(conversationId: string): string[] {
    return this.ordered(conversationId).map((m) => m.text);
  }

  /** Entries of a conversation by position. */
  ordered(conversationId: string): ({ messageId: string } & HeldEntry)[] {
    return [...this.held(conversationId).byId]
      .map(([messageId, entry]) => ({ messageId, ...entry }))
      .sort((a, b) => comparePositions(a.position, b.position));
  }

  /** Syncs on a socket until an answer is complete; gives the number of requests it took. */
  async sync(socket: TestSocket, withinMs = PATIENCE_MS): Promise<number> {
    for (let requests = 1; ; requests++) {
      const ref = `sync-${++this.syncs}`;
      socket.send({
        type: 'sync',
        ref,
        ...(this.since && { since: this.since }),
        ...(this.conversations.size > 0 && { conversations: this.listed() }),
      });
      const last = await socket.find(
        (f) => f.type === 'synced' && f['ref'] === ref && f['complete'] !== undefined,
        withinMs,
      );
      if (last['since']) this.since = last['since'] as string;
      if (last['complete'] === true) return requests;
      if (last['delayed'] === true) await socket.next('resync', 20_000);
    }
  }

  private listed(): { conversationId: string; position: string }[] {
    return [...this.conversations].map(([conversationId, held]) => ({
      conversationId,
      position: held.have,
    }));
  }

  /** `record`: what has its place in the chain; `entry`: the message in it. */
  private push(record: Frame, entry = record): void {
    const { position, previous } = record as unknown as {
      position: string;
      previous: string | null;
    };
    const held = this.keep(entry as unknown as Message);
    if (previous === null || comparePositions(previous, held.have) <= 0) {
      held.have = maxPosition(held.have, position);
      this.settle(held);
    } else {
      held.aside.push({ position, previous });
    }
  }

  private synced(frame: Frame): void {
    for (const one of frame['conversations'] as {
      conversationId: string;
      messages: Message[];
      more: boolean;
      upTo: string;
    }[]) {
      const held = this.held(one.conversationId);
      if (one.more && one.messages[0]) {
        const given = one.messages.length;
        held.leftOut.push({ above: held.have, below: one.messages[0].position, given });
      }
      for (const message of one.messages) this.keep(message);
      held.have = maxPosition(held.have, one.upTo);
      this.settle(held);
    }
  }

  private settle(held: Held): void {
    held.aside.sort((a, b) => comparePositions(a.position, b.position));
    while (held.aside.length > 0 && comparePositions(held.aside[0]!.previous, held.have) <= 0) {
      held.have = maxPosition(held.have, held.aside.shift()!.position);
    }
  }

  private keep(message: Message): Held {
    const held = this.held(message.conversationId);
    const known = held.byId.get(message.messageId);
    const text = message.content?.kind === 'text' ? message.content.text : '';
    const { conversationId, messageId, position } = message;
    if (!known) this.shown.push({ conversationId, messageId, position });
    const { version = '0', deleted = false } = message;
    const next = { position, version, deleted, text };
    if (!known) {
      held.byId.set(messageId, next);
      return held;
    }
    const newest = isNewer(next, known) ? next : known;
    const first = comparePositions(position, known.position) < 0 ? position : known.position;
    held.byId.set(messageId, { ...newest, position: first });
    return held;
  }
}

/** The highest version counts; a deletion is final, and the first one counts. */
function isNewer(one: HeldEntry, other: HeldEntry): boolean {
  if (one.deleted !== other.deleted) return one.deleted;
  const order = comparePositions(one.version, other.version);
  return one.deleted ? order < 0 : order > 0;
}
