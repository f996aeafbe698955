import { type Random, randomBelow } from '../../../tools/load/random';
import { downFor } from '../fault';
import type { Cast, Circle } from './cast';
import type { Diary } from './diary';
import type { Person } from './person';

const PAUSE_MS = 150;
/** Of so many questions one is for the presence of all. */
const PRESENCE_EVERY = 5;

/**
 * Asks all the time, as somebody among the people, how much is unread somewhere, and who is there: what is
 * answered is in the diary. An answer that says itself that it may be older is left out.
 */
export class Curious {
  private running = true;
  private readonly work: Promise<void>;
  /** Answers that were written down. */
  readonly answers = { unread: 0, presence: 0 };

  constructor(
    private readonly cast: Cast,
    private readonly diary: Diary,
    private readonly random: Random,
  ) {
    this.work = this.ask();
  }

  async end(): Promise<void> {
    this.running = false;
    await this.work;
  }

  private async ask(): Promise<void> {
    const { people, circles } = this.cast;
    // nobody hides from them
    const open = people.filter((one) => !circles.some((c) => c.blocks && c.core.includes(one)));
    for (let turn = 0; this.running; turn++) {
      const circle = circles[randomBelow(this.random, circles.length)]!;
      const asks =
        turn % PRESENCE_EVERY === 0
          ? this.presence(open[randomBelow(this.random, open.length)]!)
          : this.unread(circle, circle.core[randomBelow(this.random, circle.core.length)]!);
      await asks.catch(() => undefined);
      await downFor(PAUSE_MS);
    }
  }

  private async unread({ id }: Circle, { name, first }: Person): Promise<void> {
    const inv = this.diary.now();
    const answer = await first.client.api.sync({
      conversations: [{ conversationId: id, position: '0' }],
    });
    if (answer.delayed) return;
    const whose = { u: name, d: `the server for ${name}` };
    for (const { conversationId, unread } of answer.conversations) {
      if (conversationId !== id || unread === undefined) continue;
      this.answers.unread += 1;
      this.diary.unread(whose, id, unread, inv);
    }
  }

  private async presence({ first }: Person): Promise<void> {
    const inv = this.diary.now();
    const { items } = await first.client.api.presence(this.cast.people.map(({ id }) => id));
    this.answers.presence += items.length;
    this.diary.presence(first.whose, items, inv);
  }
}
