import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { pause } from '@tidings/common/runtime/waiting';
import fc from 'fast-check';
import { FIRST_SENT_AT, heldId, heldRecord } from '../testing/held-records';
import { Drainer } from './drainer';
import { SpoolDrain } from './spool-drain';
import { encodeEntry } from './spool-format';
import { SpoolTakenError } from './spool-lock';
import { SpoolRoot, type FoundSpool } from './spool-root';
import { SpoolStore, type LockedDir } from './spool-store';

/** What owner and adopters of one spool do at the same time, on a real disk. */

let root: string;
let ends: (() => Promise<void>)[];
/** The log: ids of messages as they were appended. */
let log: string[];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'races-'));
  [ends, log] = [[], []];
});
afterEach(async () => {
  for (const end of ends) await end();
  rmSync(root, { recursive: true, force: true });
});

const logger = { warn: jest.fn(), error: jest.fn() };
const number = (id: string) => Number(id.slice(-12));

async function opened(place: LockedDir): Promise<SpoolStore> {
  const none = () => undefined;
  const options = { partitions: 1, maxBytes: 1e9, logger, found: none, lost: none };
  const store = await SpoolStore.open({ ...options, ...place });
  ends.push(() => store.close());
  return store;
}

const rootOf = (nodeId: string) => new SpoolRoot(root, nodeId, join(root, '.none'), 200);

/** The gateway that holds: `gate` keeps it, when it is set, before it looks whether the spool is its own still. */
async function owner() {
  const place = await rootOf('gateway-1').own();
  const world: { gate: Promise<void> | null } = { gate: null };
  const check = place.lock.check.bind(place.lock);
  jest.spyOn(place.lock, 'check').mockImplementation(async () => {
    await world.gate;
    return check();
  });
  const store = await opened(place);
  const acknowledged: number[] = [];
  const refused: number[] = [];
  /** Settles when the send is answered. */
  const send = (n: number): Promise<void> =>
    new Promise((resolve) => {
      const times = { sentAt: FIRST_SENT_AT, expiresAt: Infinity };
      store.partitions[0]!.put(encodeEntry(heldRecord(n)), times, (result) => {
        ('sequence' in result ? acknowledged : refused).push(n);
        resolve();
      });
    });
  return { place, store, acknowledged, refused, send, world };
}

/** Sends all of a spool by a writer of its own, whose appends take a moment. */
function drain(store: SpoolStore): SpoolDrain {
  const append: LogWriter['append'] = (record, done) => {
    setImmediate(() => {
      const offset = BigInt(log.push(record.id) - 1);
      done({ ok: true, partition: 0, offset, timestamp: 0, again: true });
    });
    return true;
  };
  const judge = (all: readonly unknown[]) =>
    Promise.resolve(all.map(() => ({ append: true }) as const));
  const nobody = { drained: () => undefined, known: () => undefined, refused: () => undefined };
  const one = new SpoolDrain({
    store,
    writer: { append, takeWaiting: () => [] },
    drainer: new Drainer({ judge: { judge }, answers: nobody, logger }),
    logger,
    wallClock: () => FIRST_SENT_AT,
  });
  one.start();
  return one;
}

const found = (dir: string): FoundSpool => ({ nodeId: 'gateway-1', dir, touchedAt: null });

/** What an adopter does with a spool that it takes for one of a gateway that is gone. */
async function adopt(nodeId: string, dir: string): Promise<SpoolStore | null> {
  const place = await rootOf(nodeId).adopt(found(dir));
  if (!place) return null;
  const store = await opened(place);
  const one = drain(store);
  store.onTaken(() => void one.stop());
  await one.ended;
  await one.stop();
  return store;
}

/** Messages as everybody sees them: the first append of each. */
const seen = () => [...new Set(log)].map(number);
const rising = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

function gate() {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

describe('an owner that is hung while its spool is adopted', () => {
  it('acknowledges nothing more when it wakes, though the disk takes it', async () => {
    const { place, send, acknowledged, refused } = await owner();
    await send(0);
    await adopt('gateway-2', place.dir);
    await Promise.all([send(1), send(2)]);
    await send(3);
    expect([acknowledged, refused]).toEqual([[0], [1, 2, 3]]);
    expect(log).toEqual([heldId(0)]);
    // nor does it leave something that yet another one would send
    expect(existsSync(place.dir)).toBe(false);
  });

  it('does not acknowledge what it has written already; it is sent with the rest', async () => {
    const { place, send, acknowledged, refused, world } = await owner();
    await send(0);
    const hung = gate();
    world.gate = hung.promise;
    const second = send(1);
    // on the disk, and its owner hangs before it looks at its lock
    await pause(50);
    await adopt('gateway-2', place.dir);
    hung.open();
    await second;
    expect([acknowledged, refused]).toEqual([[0], [1]]);
    expect(seen()).toEqual([0, 1]);
  });

  it('is done with nothing of it, and removes nothing of what a successor holds', async () => {
    const before = await owner();
    for (const n of [0, 1]) await before.send(n);
    const spool = before.store.partitions[0]!;
    const entries = await spool.peek({ records: 10, bytes: 1e6 });
    await adopt('gateway-2', before.place.dir);
    const successor = await owner();
    for (const n of [2, 3]) await successor.send(n);
    await expect(spool.advance(entries.at(-1)!)).rejects.toThrow(SpoolTakenError);
    await expect(spool.peek({ records: 10, bytes: 1e6 })).rejects.toThrow('ENOENT');
    await expect(spool.cut(FIRST_SENT_AT)).resolves.toEqual([]);
    const again = drain(before.store);
    await pause(30);
    await again.stop();
    await before.store.close();
    expect(successor.store.entries).toBe(2);
    await adopt('gateway-2', successor.place.dir);
    expect(seen()).toEqual([0, 1, 2, 3]);
  });

  it('that had begun to send it sends nothing that comes before what the adopter sends', async () => {
    const { place, store, send } = await owner();
    for (let n = 0; n < 700; n++) void send(n);
    await send(700);
    const own = drain(store);
    const adopted = adopt('gateway-2', place.dir);
    await adopted;
    await own.stop();
    expect(seen()).toEqual(rising(seen()));
    expect(seen()).toHaveLength(701);
  });
});

it('loses nothing acknowledged and keeps the order, whoever takes it when', async () => {
  const moment = fc.integer({ min: 0, max: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        /** When each message is sent, one behind the other. */
        pauses: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 }),
        adopters: fc.array(moment, { minLength: 1, maxLength: 3 }),
        /** When the second one takes it from the first. */
        second: fc.option(moment),
        /** The owner drains as well: the log is back for it. */
        drains: fc.option(moment),
        hangs: fc.option(moment),
      }),
      async ({ pauses, adopters, second, drains, hangs }) => {
        log = [];
        const { place, store, send, acknowledged, world } = await owner();
        const hung = gate();
        const answers: Promise<void>[] = [];
        const sends = (async () => {
          for (const [n, ms] of pauses.entries()) {
            await pause(ms);
            answers.push(send(n));
          }
        })();
        const steps = adopters.map(async (ms, i) => {
          await pause(ms);
          await adopt(`gateway-${i + 2}`, place.dir);
        });
        if (second !== null) {
          steps.push(
            pause(second).then(async () => {
              const spools = await rootOf('gateway-9').list();
              const taken = spools.find(({ nodeId }) => nodeId !== 'gateway-1');
              if (taken) await adopt('gateway-9', taken.dir);
            }),
          );
        }
        let own: SpoolDrain | null = null;
        if (drains !== null) steps.push(pause(drains).then(() => void (own = drain(store))));
        if (hangs !== null) steps.push(pause(hangs).then(() => void (world.gate = hung.promise)));
        // what an adopter cannot open, because a second one has taken it, that one sends
        await Promise.allSettled([sends, ...steps]);
        hung.open();
        await Promise.all(answers);
        await (own as SpoolDrain | null)?.stop();
        for (const { dir } of await rootOf('gateway-9').list()) await adopt('gateway-9', dir);
        const all = seen();
        expect(acknowledged.filter((n) => !all.includes(n))).toEqual([]);
        expect(all).toEqual(rising(all));
        for (const end of ends.splice(0)) await end();
        rmSync(root, { recursive: true, force: true });
      },
    ),
    { numRuns: 60, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
  );
});
