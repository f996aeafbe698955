import type { Known } from './memory';
import type { People } from './people';
import type { PrivateFile } from './private-file';
import type { Rooms } from './rooms';

/** What is learned at about the same time is written once, in milliseconds. */
const TOGETHER_MS = 200;
/** So many people are remembered at most: those met last. */
const MOST_USERS = 1_000;

/** Remembers people and chats from run to run, so that one can write to them while offline. */
export class Keeper {
  private lists: { people: People; rooms: Rooms } | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly file: PrivateFile<Known>) {}

  /** Hands over what an earlier run knew, and keeps what is learned from now on. */
  begin(people: People, rooms: Rooms): void {
    const known = this.file.read();
    for (const user of known?.users ?? []) if (!people.knows(user.id)) people.learn(user);
    rooms.recall(known?.rooms ?? []);
    this.lists = { people, rooms };
  }

  /** Something is known that was not. */
  readonly changed = (): void => {
    if (this.lists) this.timer ??= setTimeout(() => this.write(), TOGETHER_MS);
  };

  /** Writes what is not written yet; nothing is kept from then on. */
  end(): void {
    if (this.timer) this.write();
    this.forget();
  }

  /** Keeps nothing from now on. */
  forget(): void {
    this.lists = null;
  }

  private write(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    if (!this.lists) return;
    const { people, rooms } = this.lists;
    try {
      this.file.write({ users: people.all().slice(-MOST_USERS), rooms: rooms.all() });
    } catch {
      // It is a convenience: without it a chat is found by the server again.
    }
  }
}
