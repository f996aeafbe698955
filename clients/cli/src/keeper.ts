import type { Known } from './memory';
import type { NamedServers } from './named-servers';
import type { People } from './people';
import type { PrivateFile } from './private-file';
import type { Rooms } from './rooms';

/** What is learned at about the same time is written once, in milliseconds. */
const TOGETHER_MS = 200;
/** So many people are remembered at most: those met last. */
const MAX_USERS = 1_000;

interface Lists {
  people: People;
  rooms: Rooms;
  servers: NamedServers;
}

/** Remembers people, chats and gateways from run to run, so that one can go on without the server. */
export class Keeper {
  private lists: Lists | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly file: PrivateFile<Known>) {}

  /** Hands over what an earlier run knew, and keeps what is learned from now on. */
  begin(lists: Lists): void {
    const { people, rooms, servers } = lists;
    const known = this.file.read();
    for (const user of known?.users ?? []) if (!people.knows(user.id)) people.learn(user);
    rooms.recall(known?.rooms ?? []);
    servers.add(known?.servers ?? []);
    this.lists = lists;
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
    const { people, rooms, servers } = this.lists;
    try {
      const users = people.all().slice(-MAX_USERS);
      this.file.write({ users, rooms: rooms.all(), servers: servers.all() });
    } catch {
      // It is a convenience: without it a chat is found by the server again.
    }
  }
}
