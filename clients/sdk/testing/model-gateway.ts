import { isEditable, isSentContent, type Message } from '@tidings/common/contracts/content';
import type { ChangeFrame, SendFrame, SyncRequest } from '@tidings/common/contracts/frames';
import { ME, PEER, welcome } from './factories';
import { FakeTransport, type FakeSocket } from './fake-transport';
import { ModelLog, type LogRecord } from './model-log';

export const CONVERSATIONS = ['conversation-a', 'conversation-b', 'conversation-c'];

type SyncFrame = SyncRequest & { ref: string };

/** What a gateway does with a send. */
export type Treatment = 'answer' | 'stay silent' | 'refuse' | 'hold' | 'conflict';

/**
 * A gateway (and everything behind it) that does only what it is told, step by step: what it pushes
 * and answers waits until the test lets it through, loses or doubles it.
 */
export class ModelGateway {
  readonly log = new ModelLog();
  readonly transport = new FakeTransport();
  /** Every id that the gateway refused for good. */
  readonly failed = new Set<string>();
  private socket: FakeSocket | null = null;
  private pushes: object[] = [];
  private answers: object[] = [];
  private sends: SendFrame[] = [];
  private changes: ChangeFrame[] = [];
  private syncs: { frame: SyncFrame; barrier: number }[] = [];
  private held: SendFrame[] = [];
  /** Held by gateways that this client has left. */
  private heldElsewhere: SendFrame[] = [];
  private refusedIds = new Map<string, Set<string>>();
  private connects = 0;

  constructor() {
    this.transport.onOpen = (socket) => {
      socket.onFrame = (frame) => this.take(socket, frame);
    };
  }

  /** `fetch` of the client: the directory and the history. */
  readonly fetch: typeof fetch = (input) => {
    const url = new URL(input as string);
    const body = url.pathname.endsWith('/connections')
      ? {
          ticket: `t${++this.connects}`,
          expiresInSeconds: 30,
          gateways: [
            { id: 'g1', url: 'ws://g1/' },
            { id: 'g2', url: 'ws://g2/' },
          ],
          heartbeatSeconds: 25,
          backoff: { baseMs: 10, maxMs: 100 },
        }
      : this.historyPage(url);
    return Promise.resolve(new Response(JSON.stringify(body)));
  };

  /** Lets the socket that the client is opening in. */
  accept(): boolean {
    const socket = this.transport.sockets.at(-1);
    if (!socket || socket === this.socket || socket.abandoned) return false;
    this.socket = socket;
    this.pushes = [];
    this.answers = [];
    this.sends = [];
    this.changes = [];
    this.syncs = [];
    this.refusedIds.clear();
    socket.receive(welcome(socket.url === 'ws://g2/' ? 'g2' : 'g1', { userId: ME }));
    return true;
  }

  /** Cuts the connection; everything under way is lost. */
  cut(): void {
    const socket = this.socket;
    this.pushes = [];
    this.answers = [];
    socket?.end();
    if (this.socket === socket) this.socket = null;
    this.sends = [];
    this.changes = [];
    this.syncs = [];
    this.heldElsewhere.push(...this.held.splice(0));
  }

  /** Somebody else writes. */
  speak(conversation: number): void {
    this.push(this.log.speak(CONVERSATIONS[conversation]!, PEER));
  }

  /** Somebody edits a message. */
  edit(conversation: number, back: number): void {
    const record = this.log.edit(CONVERSATIONS[conversation]!, back);
    if (record) this.push(record);
  }

  /** Somebody deletes a message for everybody. */
  remove(conversation: number, back: number): void {
    const record = this.log.remove(CONVERSATIONS[conversation]!, back);
    if (record) this.push(record);
  }

  /** Treats the client's next edit or deletion. */
  serveChange(treatment: 'answer' | 'stay silent' | 'refuse'): void {
    const frame = this.changes.shift();
    if (!frame) return;
    const { conversationId, messageId, changeId } = frame;
    if (treatment === 'refuse') {
      this.answers.push({ ...errorFrame(messageId, 'busy', true), ...aboutChange(changeId) });
      return;
    }
    const content = frame.type === 'edit' ? frame.content : null;
    if (content && !isEditable(content)) throw new Error('only text and custom can be edited');
    const end = this.log.end;
    const record = this.log.change(conversationId, messageId, content, changeId);
    if (record && record.at > end) this.push(record);
    if (treatment === 'stay silent') return;
    if (record) this.answers.push(changedFrame(record));
    else
      this.answers.push({
        ...errorFrame(messageId, 'not_found', false),
        ...aboutChange(changeId),
      });
  }

  /** Appends a message of the history once more, as a retried send with unknown outcome does. */
  copy(conversation: number, back: number): void {
    const conversationId = CONVERSATIONS[conversation]!;
    const message = this.log.history(conversationId).at(-1 - back);
    if (message) this.push(this.log.append(conversationId, message));
  }

  /** Hands over the next push; `how`: as it is, twice, or never (then a `resync` says so). */
  deliver(how: 'once' | 'twice' | 'lose'): void {
    const push = this.pushes.shift();
    if (!push || !this.socket) return;
    if (how === 'lose') return;
    this.socket.receive(push);
    if (how === 'twice') this.socket.receive(push);
  }

  /** Hands over the next answer. */
  reply(): void {
    const answer = this.answers.shift();
    if (answer) this.socket?.receive(answer);
  }

  /** Treats the next send. */
  serve(treatment: Treatment): void {
    const send = this.sends.shift();
    if (!send) return;
    const conversationId = send.conversationId!;
    const refused = this.refusedIds.get(conversationId);
    const { messageId } = send;
    if (refused && !refused.has(messageId)) return this.refuse(send, refused);
    this.refusedIds.delete(conversationId);
    if (treatment === 'refuse') return this.refuse(send, new Set());
    const mayFail = !send.retry && !this.log.find(conversationId, messageId);
    if (this.failed.has(messageId) || (treatment === 'conflict' && mayFail)) {
      this.failed.add(messageId);
      this.answers.push(errorFrame(messageId, 'message_id_conflict', false));
      return;
    }
    if (treatment === 'hold' || this.held.some((h) => h.conversationId === conversationId)) {
      if (!this.held.some((h) => h.messageId === messageId)) this.held.push(send);
      this.answers.push({ type: 'held', messageId });
      return;
    }
    this.write(send, treatment === 'answer');
  }

  /** The spools drain: held messages reach the log. */
  drain(): void {
    for (const send of this.heldElsewhere.splice(0)) this.write(send, false);
    for (const send of this.held.splice(0)) this.write(send, true);
  }

  /** Answers the next sync; `lag`: how far storage is behind the barrier; `split`: in two frames. */
  answerSync(lag: number, split: boolean): void {
    const sync = this.syncs.shift();
    if (!sync) return;
    const applied = Math.max(0, sync.barrier - lag);
    const body = this.log.answer(sync.frame, lag > 0 ? applied : this.log.end);
    const last = lag > 0 ? { complete: false, delayed: true } : { complete: body.complete };
    const frame = { type: 'synced', ref: sync.frame.ref };
    if (split) {
      this.answers.push({ ...frame, conversations: body.conversations.slice(0, 1) });
      this.answers.push({ ...frame, ...body, conversations: body.conversations.slice(1), ...last });
    } else {
      this.answers.push({ ...frame, ...body, ...last });
    }
    if (lag > 0) this.answers.push({ type: 'resync', reason: 'caught up', withinMs: 50 });
  }

  /** Whether nothing waits to be handled. */
  get idle(): boolean {
    const waiting = [this.pushes, this.answers, this.sends, this.changes, this.syncs];
    return waiting.every((list) => list.length === 0);
  }

  private historyPage(url: URL): { items: Message[]; more: boolean } {
    const conversationId = url.pathname.split('/')[3]!;
    const before = Number(url.searchParams.get('before') ?? Infinity);
    const all = this.log.history(conversationId).filter((m) => Number(m.position) < before);
    return { items: all.slice(-3), more: all.length > 3 };
  }

  private take(socket: FakeSocket, frame: Record<string, unknown>): void {
    if (socket !== this.socket) return;
    if (frame['type'] === 'send') this.sends.push(frame as unknown as SendFrame);
    if (frame['type'] === 'edit' || frame['type'] === 'delete') {
      this.changes.push(frame as unknown as ChangeFrame);
    }
    if (frame['type'] === 'sync') {
      this.syncs.push({ frame: frame as unknown as SyncFrame, barrier: this.log.end });
    }
  }

  private refuse(send: SendFrame, refused: Set<string>): void {
    refused.add(send.messageId);
    this.refusedIds.set(send.conversationId!, refused);
    this.answers.push(errorFrame(send.messageId, 'busy', true));
  }

  private write(send: SendFrame, answered: boolean): void {
    const { messageId, content } = send;
    if (!isSentContent(content)) throw new Error('the model knows no uploads');
    const conversationId = send.conversationId!;
    const sentAt = '2026-01-01T00:00:00.000Z';
    const message = { messageId, senderId: ME, content, sentAt, version: '0' };
    this.push(this.log.append(conversationId, message));
    const { at } = this.log.find(conversationId, messageId)!;
    const position = String(at);
    if (answered) this.answers.push({ type: 'sent', messageId, conversationId, position, sentAt });
  }

  private push(record: LogRecord): void {
    if (!this.socket) return;
    const previous = String(record.previous);
    const message = { ...record.message, type: 'message', previous };
    this.pushes.push(record.kind === 'change' ? changedFrame(record) : message);
  }
}

function changedFrame({ message, previous, changeId }: LogRecord): object {
  return { ...message, type: 'changed', previous: String(previous), changeId };
}

function errorFrame(messageId: string, code: string, retryable: boolean): object {
  return { type: 'error', ref: messageId, messageId, code, detail: code, retryable };
}

/** Errors about changes do not name the message: it was not refused. */
function aboutChange(changeId: string): object {
  return { ref: changeId, messageId: undefined };
}
