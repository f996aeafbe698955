import type { OutboxRecord, OutboxStore } from '../src/outbox-store';
import { id, outboxRecord as record, PEER } from './factories';

/** A place that keeps an outbox: each `open` is what a new run of the program makes. */
export interface StorePlace {
  open(): OutboxStore;
}

/** What every outbox store has to do. */
export function outboxStoreSuite(name: string, make: () => StorePlace): void {
  describe(`an outbox ${name}`, () => {
    const ids = (records: readonly OutboxRecord[]): string[] => records.map((r) => r.messageId);
    let place: StorePlace;
    beforeEach(() => {
      place = make();
    });

    /** What a new run of the program finds. */
    async function found(): Promise<OutboxRecord[]> {
      const store = place.open();
      const records = await store.load();
      await store.close();
      return records;
    }

    async function opened(): Promise<OutboxStore> {
      const store = place.open();
      await store.load();
      return store;
    }

    it('is empty at first', async () => {
      expect(await found()).toEqual([]);
    });

    it('keeps changes beside messages, the last of an id, as far as it keeps changes', async () => {
      const store = await opened();
      if (!store.changes) return;
      await store.add(record(1));
      const content = { kind: 'text', text: 'better' } as const;
      const waiting = { changeId: id(7), messageId: id(1), content };
      const known = { ...waiting, conversationId: 'c' };
      const deletion = { changeId: id(8), messageId: id(2), conversationId: 'c', content: null };
      await store.changes.add(waiting);
      await store.changes.add(deletion);
      await store.changes.add(known);
      await store.changes.add({ ...deletion, changeId: id(9) });
      store.changes.remove(id(9));
      store.remove(id(1));
      await store.close();
      const next = place.open();
      expect(await next.load()).toEqual([]);
      expect(await next.changes!.load()).toEqual([known, deletion]);
      await next.close();
    });

    it('keeps what was added and not removed, whole and in order', async () => {
      const records = [
        record(1),
        record(2, { conversationId: undefined, to: PEER, expiresAt: 7 }),
        record(3, {
          content: { kind: 'custom', data: { deep: ['\u2028', '"\\', '👩‍👩‍👧', null] } },
          replyTo: id(1),
          mentions: [PEER],
          meta: { a: [1] },
        }),
        record(4, { content: { kind: 'file', mediaId: id(9), name: 'line\ttab' } }),
      ];
      const store = await opened();
      await Promise.all(records.map(async (r) => store.add(r)));
      store.remove(id(2));
      store.remove(id(99));
      await store.close();
      const plain = JSON.parse(JSON.stringify(records)) as OutboxRecord[];
      expect(JSON.parse(JSON.stringify(await found()))).toEqual([plain[0], plain[2], plain[3]]);
    });

    it('keeps order over several runs', async () => {
      for (let run = 0; run < 3; run++) {
        const store = await opened();
        for (let n = 0; n < 20; n++) void store.add(record(run * 20 + n));
        for (let n = 0; n < 20; n += 2) store.remove(id(run * 20 + n));
        await store.close();
      }
      const odd = Array.from({ length: 30 }, (_, i) => id(2 * i + 1));
      expect(ids(await found())).toEqual(odd);
    });

    it('has kept what an add has settled for when the program is killed', async () => {
      const store = await opened();
      await store.add(record(1));
      await store.add(record(2));
      expect(ids(await found())).toEqual([id(1), id(2)]);
      await store.close();
    });

    it('keeps a message once, at its first place', async () => {
      const store = await opened();
      for (const n of [1, 2, 1]) await store.add(record(n));
      await store.close();
      expect(ids(await found())).toEqual([id(1), id(2)]);
    });

    it('takes what is removed before it was safe', async () => {
      const store = await opened();
      const added = store.add(record(1));
      store.remove(id(1));
      await added;
      await store.close();
      expect(await found()).toEqual([]);
    });

    it('holds hundreds', async () => {
      const store = await opened();
      const all = Array.from({ length: 300 }, (_, n) => record(n));
      await Promise.all(all.map(async (r) => store.add(r)));
      await store.close();
      expect(ids(await found())).toEqual(ids(all));
    }, 60_000);
  });
}
