import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChatUser } from '../../support/chat-user';
import { TerminalPeople } from '../../support/terminal-people';
import type { TerminalProgram } from '../../support/terminal-program';
import { smallPng } from '../../support/uploads';
import { Seat, type Others, type Outcome, type Round, type Trial } from './seat';
import { clubOf, FILE_BYTES } from './trials';

/** So many programs are started side by side. */
const AT_ONCE = 4;

/** Many people at terminals, each of whom tries one command; and bob, to whom they write. */
export class Room {
  readonly seats: Seat[] = [];
  private bobsWindow!: TerminalProgram;

  private constructor(private readonly people: TerminalPeople) {}

  static async open(people: TerminalPeople, trials: readonly Trial[]): Promise<Room> {
    const room = new Room(people);
    const names = trials.map((_, n) => `seat${n + 1}`);
    await people.join(...names);
    const picture = await smallPng();
    for (const [n, trial] of trials.entries()) {
      const name = names[n]!;
      writeFileSync(join(people.home(name), 'picture.png'), picture);
      writeFileSync(join(people.home(name), 'plan.bin'), Buffer.alloc(FILE_BYTES, 'plan'));
      room.seats.push(await room.seat(trial, people.user(name), n));
    }
    room.bobsWindow = await people.sit('bob', names[0], { columns: 110, rows: 60 });
    for (let n = 0; n < room.seats.length; n += AT_ONCE) {
      await Promise.all(room.seats.slice(n, n + AT_ONCE).map((seat) => seat.begin()));
    }
    return room;
  }

  private async seat(trial: Trial, user: ChatUser, n: number): Promise<Seat> {
    const bob = this.people.user('bob');
    const others: Others = { bob, cat: this.people.user('cat'), bobsWindow: () => this.bobsWindow };
    const chat = trial.group ? `Club ${n}` : 'bob';
    const seat = new Seat(trial, user, this.people, others, chat, ChatUser.PASSWORD);
    seat.conversationId = trial.group
      ? await clubOf(user, bob, chat)
      : await seat.directWith('bob');
    return seat;
  }

  /** Everybody's chat is open and clear. */
  async prepare(round: Round): Promise<void> {
    for (let n = 0; n < this.seats.length; n += AT_ONCE) {
      await Promise.all(this.seats.slice(n, n + AT_ONCE).map((seat) => seat.prepare(round)));
    }
  }

  /** Everybody types. */
  async types(round: Round): Promise<void> {
    await Promise.all(this.seats.map((seat) => seat.types(round)));
  }

  /** What became of each command; rejects with the windows in which something is wrong. */
  async judged(round: Round): Promise<Record<string, Outcome>> {
    const judged = await Promise.allSettled(this.seats.map((seat) => seat.judged(round)));
    const wrong = judged.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    if (wrong.length > 0) throw new Error(wrong.join(`\n${'='.repeat(80)}\n`));
    return Object.fromEntries(
      judged.map((one, n) => [
        this.seats[n]!.trial.command,
        (one as PromiseFulfilledResult<Outcome>).value,
      ]),
    );
  }
}
