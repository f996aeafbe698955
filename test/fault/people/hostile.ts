import type { Message } from '@tidings/protocol/content';
import { ChatUser } from '../../support/chat-user';
import { downFor } from '../fault';
import { FrameFuzz } from '../frame-fuzz';
import type { Cast } from './cast';
import type { Diary } from './diary';

const FRAMES_PER_SECOND = 20;
const PAUSE_MS = 200;
const GATEWAYS = ['gateway-1', 'gateway-2'];

/** What may be asked of a conversation. */
const READS = ['', '/messages?limit=50', '/members', '/receipts'];

/**
 * Two people who belong to nothing: they send mutated frames with the ids of others' conversations and
 * people, and ask for what is not theirs. Whatever they are shown of it is in the diary.
 */
export class Hostile {
  private users: ChatUser[] = [];
  private fuzz: FrameFuzz | null = null;
  private running = true;
  private work: Promise<unknown> = Promise.resolve();
  /** Answers by status. */
  readonly statuses: Record<string, number> = {};

  constructor(
    private readonly bases: string[],
    private readonly diary: Diary,
    private readonly cast: Cast,
    private readonly seed: number,
  ) {}

  get frames(): number {
    return this.fuzz?.sent.total ?? 0;
  }

  /** Codes of connections that were closed, errors that were answered. */
  get answers(): { closes: Record<string, number>; errors: Record<string, number> } {
    return { closes: this.fuzz?.closes.by ?? {}, errors: this.fuzz?.answers.by ?? {} };
  }

  async begin(forMs: number): Promise<void> {
    this.users = [await ChatUser.create(this.bases), await ChatUser.create(this.bases, { at: 1 })];
    for (const [n, user] of this.users.entries()) this.diary.person(user.id, `hostile${n}`);
    const ids = {
      conversations: this.cast.circles.map(({ id }) => id),
      users: this.cast.people.map(({ id }) => id),
    };
    const devices = [...this.users, await this.users[0]!.onNewDevice(1)];
    this.fuzz = new FrameFuzz(devices, GATEWAYS, ids, this.seed, (user, frame) =>
      this.heard(user, frame),
    );
    this.work = Promise.all([this.fuzz.run(forMs, FRAMES_PER_SECOND), this.read()]);
  }

  async end(): Promise<void> {
    this.running = false;
    await this.work;
    this.fuzz?.end();
  }

  private async read(): Promise<void> {
    const { circles } = this.cast;
    for (let turn = 0; this.running; turn++) {
      const user = this.users[turn % 2]!;
      const { id } = circles[turn % circles.length]!;
      const inv = this.diary.now();
      const path = `/v1/conversations/${id}${READS[turn % READS.length]}`;
      const base = this.bases[turn % this.bases.length]!;
      const answer = await user
        .http<{ items?: Message[] }>('GET', path, undefined, { base })
        .catch(() => null);
      const status = String(answer?.status ?? 'none');
      this.statuses[status] = (this.statuses[status] ?? 0) + 1;
      if (answer && answer.status < 300 && path.includes('/messages')) {
        this.diary.saw('answer', this.whose(user), id, answer.body.items ?? [], { inv });
      }
      await downFor(PAUSE_MS);
    }
  }

  /** What comes of a conversation of others; answers to own frames name it, too. */
  private heard(user: ChatUser, frame: Record<string, unknown>): void {
    const c = frame['conversationId'];
    if (!this.diary.knows(c)) return;
    const whose = this.whose(user);
    const { type } = frame;
    if (type === 'message' || type === 'changed') {
      const message = frame as unknown as Message;
      const seq = type === 'message' ? message.position : message.version;
      this.diary.saw('frame', whose, c, [message], { seq, s: whose.d });
    }
    if (type === 'receipt') {
      const { userId, delivered, read } = frame as Record<string, string>;
      this.diary.receipt(whose, c, userId!, { delivered: delivered!, read: read! });
    }
  }

  private whose({ id, deviceId }: ChatUser): { u: string; d: string } {
    const u = this.diary.nameOf(id);
    return { u, d: `${u} ${deviceId.slice(-4)}` };
  }
}
