import { isEditable, isSentContent } from '@tidings/protocol/content';
import type { ChangeFrame, MarkFrame, SendFrame, SyncRequest } from '@tidings/protocol/frames';
import { ME, welcome } from './factories';
import { FakeTransport, type FakeSocket } from './fake-transport';
import type { LogListener, LogRecord, ModelLog } from './model-log';
import { type ModelStorage, plainStorage } from './model-sync';

type SyncFrame = SyncRequest & { ref: string };

/** What a gateway does with a send. */
export type Treatment = 'answer' | 'stay silent' | 'refuse' | 'hold' | 'conflict';

/** A frame on its way to the client. */
interface Push {
  conversationId: string;
  frame: object;
  /** Of an entry: session does not know the one before it. */
  unknown: boolean;
}

/**
 * A gateway for one device, with the session behind it, that does only what it is told, step by step: what it pushes
 * and answers waits until the test lets it through, loses or doubles it.
 */
export class ModelGateway implements LogListener {
  readonly transport = new FakeTransport();
  /** Every id that the gateway refused for good. */
  readonly failed = new Set<string>();
  private socket: FakeSocket | null = null;
  private pushes: Push[] = [];
  private answers: object[] = [];
  private sends: SendFrame[] = [];
  private changes: ChangeFrame[] = [];
  private syncs: { frame: SyncFrame; barrier: number }[] = [];
  private held: SendFrame[] = [];
  /** Held by gateways that this client has left. */
  private heldElsewhere: SendFrame[] = [];
  private refusedIds = new Map<string, Set<string>>();
  private connects = 0;
  private marks: MarkFrame[] = [];
  /** Conversations of whose last entry session has lost track. */
  private readonly forgotten = new Set<string>();
  /** Conversations of which a push was lost on this connection. */
  private readonly holes = new Set<string>();

  constructor(
    readonly log: ModelLog,
    private readonly storage: ModelStorage = plainStorage(log),
  ) {
    log.listen(this);
    this.transport.onOpen = (socket) => {
      socket.onFrame = (frame) => this.take(socket, frame);
    };
  }

  /** `fetch` of the client: the directory and the history. */
  readonly fetch: typeof fetch = async (input) => {
    const url = new URL(input as string);
    const directory = url.pathname.endsWith('/connections');
    const body = directory ? this.directory() : await this.historyPage(url);
    return new Response(JSON.stringify(body));
  };

  /** Lets the socket that the client is opening in. */
  accept(): boolean {
    const socket = this.transport.sockets.at(-1);
    if (!socket || socket === this.socket || socket.abandoned) return false;
    this.forgetConnection();
    this.socket = socket;
    const serverTime = new Date(this.log.now()).toISOString();
    const more = { userId: ME, serverTime, features: ['receipts'] };
    socket.receive(welcome(socket.url === 'ws://g2/' ? 'g2' : 'g1', more));
    return true;
  }

  /** Cuts the connection; everything under way is lost. */
  cut(): void {
    const socket = this.socket;
    this.pushes = [];
    this.answers = [];
    socket?.end();
    if (this.socket === socket) this.socket = null;
    this.forgetConnection();
    this.heldElsewhere.push(...this.held.splice(0));
  }

  private forgetConnection(): void {
    this.pushes = [];
    this.answers = [];
    this.sends = [];
    this.changes = [];
    this.syncs = [];
    this.marks = [];
    this.refusedIds.clear();
    this.holes.clear();
  }

  /** Whether a push was lost on this connection: its device may not know it yet. */
  get hasHoles(): boolean {
    return this.holes.size > 0;
  }

  /** Session loses track: of the next entry it does not know the one before. */
  forget(conversationId: string): void {
    this.forgotten.add(conversationId);
  }

  record(record: LogRecord): void {
    const { conversationId, previous } = record;
    const unknown = this.forgotten.delete(conversationId);
    if (!this.log.sees(record)) return;
    this.push({ conversationId, unknown, frame: { ...frameOf(record), previous: `${previous}` } });
  }

  raised(conversationId: string, userId: string, by: unknown): void {
    if (by === this || !this.log.isMember(conversationId)) return;
    const marks = this.log.receipts(conversationId).find((r) => r.userId === userId)!;
    const upTo = String(this.log.last(conversationId));
    const own = userId === ME ? { unread: this.log.unread(conversationId), upTo } : {};
    const frame = { type: 'receipt', conversationId, ...marks, ...own };
    this.push({ conversationId, unknown: false, frame });
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
    const record = this.log.change(conversationId, messageId, content, changeId);
    if (treatment === 'stay silent') return;
    const { previous } = record ?? {};
    if (record) this.answers.push({ ...frameOf(record), previous: `${previous}` });
    else
      this.answers.push({
        ...errorFrame(messageId, 'not_found', false),
        ...aboutChange(changeId),
      });
  }

  /** Takes the watermarks that the client has raised. */
  serveMarks(): void {
    for (const { type, conversationId, position } of this.marks.splice(0)) {
      const mark = Number(position);
      const marks = type === 'read' ? { read: mark } : { delivered: mark };
      this.log.raise(conversationId, ME, marks, this);
    }
  }

  /** Hands over the next push: once, twice or never. */
  deliver(how: 'once' | 'twice' | 'lose'): void {
    const push = this.pushes.shift();
    if (!push || !this.socket) return;
    const { conversationId, unknown, frame } = push;
    if (how === 'lose') return void this.holes.add(conversationId);
    // Session knows the chain unless it begins anew; then it has lost nothing before.
    const known = !unknown || this.holes.has(conversationId);
    const told = known ? frame : { ...frame, previous: null };
    this.socket.receive(told);
    if (how === 'twice') this.socket?.receive(told);
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
    if (!this.log.isMember(conversationId)) return this.refuseOutsider(send);
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
  async answerSync(lag: number, split: boolean): Promise<void> {
    const sync = this.syncs.shift();
    if (!sync) return;
    const applied = lag > 0 ? Math.max(0, sync.barrier - lag) : null;
    const bodies = await this.storage.sync(sync.frame, applied);
    const { conversations, ...end } = bodies.at(-1)!;
    const parts = split && conversations.length > 1 ? [conversations.slice(0, 1)] : [];
    const rest = conversations.slice(parts.length);
    const frame = { type: 'synced', ref: sync.frame.ref };
    for (const part of [...bodies.slice(0, -1).map((body) => body.conversations), ...parts]) {
      this.answers.push({ ...frame, conversations: part });
    }
    this.answers.push({ ...frame, ...end, conversations: rest });
    if (end.delayed) this.answers.push({ type: 'resync', reason: 'caught up', withinMs: 50 });
  }

  /** Whether nothing waits to be handled. */
  get idle(): boolean {
    const { pushes, answers, sends, changes, syncs, marks } = this;
    const waiting = [pushes, answers, sends, changes, syncs, marks];
    return waiting.every((list) => list.length === 0);
  }

  private directory(): object {
    return {
      ticket: `t${++this.connects}`,
      expiresInSeconds: 30,
      gateways: [
        { id: 'g1', url: 'ws://g1/' },
        { id: 'g2', url: 'ws://g2/' },
      ],
      heartbeatSeconds: 25,
      backoff: { baseMs: 10, maxMs: 100 },
    };
  }

  private historyPage(url: URL): Promise<object> | object {
    return this.storage.history(url.pathname.split('/')[3]!, url.searchParams.get('before')!);
  }

  private take(socket: FakeSocket, frame: Record<string, unknown>): void {
    if (socket !== this.socket) return;
    if (frame['type'] === 'send') this.sends.push(frame as unknown as SendFrame);
    if (frame['type'] === 'edit' || frame['type'] === 'delete') {
      this.changes.push(frame as unknown as ChangeFrame);
    }
    if (frame['type'] === 'received' || frame['type'] === 'read') {
      this.marks.push(frame as unknown as MarkFrame);
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

  private refuseOutsider({ messageId }: SendFrame): void {
    this.failed.add(messageId);
    this.answers.push(errorFrame(messageId, 'no_such_conversation', false));
  }

  private write(send: SendFrame, answered: boolean): void {
    const { messageId, content } = send;
    if (!isSentContent(content)) throw new Error('the model knows no uploads');
    const conversationId = send.conversationId!;
    if (!this.log.isMember(conversationId)) {
      if (answered) this.refuseOutsider(send);
      return;
    }
    this.log.append(conversationId, { messageId, senderId: ME, content });
    const { at, message } = this.log.find(conversationId, messageId)!;
    const place = { conversationId, position: String(at), sentAt: message.sentAt };
    if (answered) this.answers.push({ type: 'sent', messageId, ...place });
  }

  private push(push: Push): void {
    if (this.socket) this.pushes.push(push);
  }
}

/** The frame that carries a record, without `previous`. */
function frameOf({ kind, message, changeId }: LogRecord): object {
  if (kind === 'change') return { ...message, type: 'changed', changeId };
  if (message.content.kind !== 'event') return { ...message, type: 'message' };
  const { conversationId, position, messageId, senderId, sentAt, content } = message;
  const ids = { conversationId, position, messageId, senderId, sentAt };
  return { type: 'conversation', ...ids, change: content.event };
}

function errorFrame(messageId: string, code: string, retryable: boolean): object {
  return { type: 'error', ref: messageId, messageId, code, detail: code, retryable };
}

/** Errors about changes do not name the message: it was not refused. */
function aboutChange(changeId: string): object {
  return { ref: changeId, messageId: undefined };
}
