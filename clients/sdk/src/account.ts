import type { Block, Contact, Device, Me, Page, User } from '@tidings/protocol/http';
import type { PageOptions, TidingsApi } from './api';

/** The parts of an account that are cached here. */
export interface AccountLists {
  contacts: Contact[];
  /** People who have this user in their contacts, but are not in this user's. */
  incoming: User[];
  blocks: Block[];
  devices: Device[];
  me: Me;
}

type Part = keyof AccountLists;

/** The parts that changed. Those this client has read before are included, already read again. */
export type AccountEvent = { changed: string[] } & Partial<AccountLists>;

/** The most pages that are read of one list. */
const MAX_PAGES = 100;
const PARTS: readonly Part[] = ['contacts', 'incoming', 'blocks', 'devices', 'me'];

/**
 * The user's own lists. A list that was read once is read again when the server reports a change,
 * and after a lost connection (changes in between were not heard). The application gets an event
 * once the new list is here. One read at a time.
 */
export class Account {
  private readonly seen = new Map<Part, string>();
  private readonly stale = new Set<Part>();
  private readonly announced = new Set<string>();
  private reading = false;

  constructor(
    private readonly api: TidingsApi,
    private readonly tell: (event: AccountEvent) => void,
  ) {}

  contacts(): Promise<Contact[]> {
    return this.read('contacts');
  }

  incoming(): Promise<User[]> {
    return this.read('incoming');
  }

  blocks(): Promise<Block[]> {
    return this.read('blocks');
  }

  devices(): Promise<Device[]> {
    return this.read('devices');
  }

  me(): Promise<Me> {
    return this.read('me');
  }

  /** The server reports that these parts have changed. */
  changed(parts: readonly string[]): void {
    for (const part of parts) {
      this.announced.add(part);
      if (isPart(part) && this.seen.has(part)) this.stale.add(part);
    }
    void this.refresh();
  }

  /** Connected again: anything that was read may have changed meanwhile. */
  reconnected(): void {
    for (const part of this.seen.keys()) this.stale.add(part);
    void this.refresh();
  }

  private async read<P extends Part>(part: P): Promise<AccountLists[P]> {
    const list = await this.fetch(part);
    this.seen.set(part, JSON.stringify(list));
    return list;
  }

  private async refresh(): Promise<void> {
    if (this.reading) return;
    this.reading = true;
    while (this.announced.size > 0 || this.stale.size > 0) {
      const announced = [...this.announced];
      const stale = [...this.stale];
      this.announced.clear();
      this.stale.clear();
      await this.renew(announced, stale);
    }
    this.reading = false;
  }

  /** A part that cannot be read now is announced anyway; it is read after the next connect. */
  private async renew(announced: readonly string[], stale: readonly Part[]): Promise<void> {
    const changed = new Set(announced);
    const lists: Partial<AccountLists> = {};
    for (const part of stale) {
      const before = this.seen.get(part);
      try {
        Object.assign(lists, { [part]: await this.read(part) });
        if (this.seen.get(part) !== before) changed.add(part);
        else if (!changed.has(part)) delete lists[part];
      } catch {
        this.seen.set(part, '');
      }
    }
    if (changed.size > 0) this.tell({ changed: [...changed], ...lists });
  }

  private async fetch<P extends Part>(part: P): Promise<AccountLists[P]> {
    const { api } = this;
    const readers: { [K in Part]: () => Promise<AccountLists[K]> } = {
      contacts: () => everyPage((page) => api.contacts(page)),
      incoming: () => everyPage((page) => api.incomingContacts(page)),
      blocks: () => everyPage((page) => api.blocks(page)),
      devices: async () => (await api.devices()).items,
      me: () => api.me(),
    };
    return readers[part]();
  }
}

function isPart(part: string): part is Part {
  return (PARTS as readonly string[]).includes(part);
}

async function everyPage<T>(read: (page: PageOptions) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await read({ cursor });
    all.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  return all;
}
