import { settle } from '../testing/fake-clock';
import { Account, type AccountEvent } from './account';
import type { TidingsApi } from './api';

function setUp() {
  const server: Record<string, { id: string }[]> = { contacts: [], blocks: [], devices: [] };
  const calls: string[] = [];
  const world = { away: false };
  const list = (name: string) => (page?: { cursor?: string }) => {
    calls.push(name);
    if (world.away) return Promise.reject(new Error('away'));
    // Two items a page.
    const from = Number(page?.cursor ?? 0);
    const items = server[name]!.slice(from, from + 2);
    const more = server[name]!.length > from + 2;
    return Promise.resolve({ items, ...(more && { cursor: String(from + 2) }) });
  };
  const api = { contacts: list('contacts'), blocks: list('blocks'), devices: list('devices') };
  const events: AccountEvent[] = [];
  const account = new Account(api as unknown as TidingsApi, (event) => events.push(event));
  return { account, server, calls, events, world };
}

const items = (n: number) => Array.from({ length: n }, (_, i) => ({ id: `${i}` }));

describe('Account', () => {
  it('reads a list to its last page', async () => {
    const { account, server, calls } = setUp();
    server['contacts'] = items(5);
    expect(await account.contacts()).toEqual(items(5));
    expect(calls).toEqual(['contacts', 'contacts', 'contacts']);
  });

  it('tells at once of what nobody has read', async () => {
    const { account, calls, events } = setUp();
    account.changed(['blocks', 'settings']);
    await settle();
    expect(events).toEqual([{ changed: ['blocks', 'settings'] }]);
    expect(calls).toEqual([]);
  });

  it('reads again what was read before, once for many news, and tells it', async () => {
    const { account, server, calls, events } = setUp();
    await account.blocks();
    server['blocks'] = items(1);
    for (let n = 0; n < 20; n++) account.changed(['blocks']);
    await settle();
    expect(events.at(-1)).toEqual({ changed: ['blocks'], blocks: items(1) });
    expect(events.length).toBeLessThanOrEqual(2);
    expect(calls.length).toBeLessThanOrEqual(3);
  });

  it('after a lost connection tells only what has changed', async () => {
    const { account, server, events } = setUp();
    await Promise.all([account.blocks(), account.devices()]);
    account.reconnected();
    await settle();
    expect(events).toEqual([]);
    server['devices'] = items(2);
    account.reconnected();
    await settle();
    expect(events).toEqual([{ changed: ['devices'], devices: items(2) }]);
  });

  it('tells of a change that it cannot read, and reads it when it is back', async () => {
    const { account, events, world } = setUp();
    await account.blocks();
    world.away = true;
    account.changed(['blocks']);
    await settle();
    expect(events).toEqual([{ changed: ['blocks'] }]);
    world.away = false;
    account.reconnected();
    await settle();
    expect(events.at(-1)).toEqual({ changed: ['blocks'], blocks: [] });
  });
});
