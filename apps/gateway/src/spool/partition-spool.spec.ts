import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIRST_SENT_AT, heldId, heldRecord } from '../testing/held-records';
import { PartitionSpool, type PartitionSpoolOptions } from './partition-spool';
import { SpoolBudget } from './spool-budget';
import { writeDurably, type DurableWrite } from './spool-files';
import { encodeEntry } from './spool-format';

const ALL = { records: 1_000, bytes: 1024 * 1024 };
const ENTRY_BYTES = encodeEntry(heldRecord(1)).length;

let dir: string;
let spools: PartitionSpool[];
let damage: { at: number; bytes: number }[];
let lost: [number, number][];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spool-'));
  [spools, damage, lost] = [[], [], []];
});

afterEach(async () => {
  await Promise.all(spools.map((spool) => spool.close()));
  rmSync(dir, { recursive: true, force: true });
});

function limits(over: { inAll?: number; perPartition?: number; unwritten?: number } = {}) {
  return new SpoolBudget({ inAll: 1e9, perPartition: 1e9, unwritten: 1e9, ...over });
}

/** Opens the spool as a new process would, whether the one before closed it or not. */
async function opened(over: Partial<PartitionSpoolOptions> = {}) {
  const found: string[] = [];
  const spool = new PartitionSpool({
    dir: join(dir, '0'),
    budget: limits(),
    onDamage: ({ at, bytes }) => damage.push({ at, bytes }),
    onLost: (from, to) => lost.push([from, to]),
    ...over,
  });
  spools.push(spool);
  await spool.open((record, sequence) => found.push(`${sequence} ${record.id}`));
  return { spool, found };
}

function put(spool: PartitionSpool, n: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const at = FIRST_SENT_AT + n * 1000;
    const times = { sentAt: at, expiresAt: Infinity };
    const taken = spool.put(encodeEntry(heldRecord(n)), times, (result) =>
      'sequence' in result ? resolve(result.sequence) : reject(result.error),
    );
    if (taken !== 'taken') reject(new Error(taken));
  });
}

const putAll = (spool: PartitionSpool, numbers: number[]) =>
  Promise.all(numbers.map((n) => put(spool, n)));

/** Takes everything from the front, so many at a time; gives the ids. */
async function drained(spool: PartitionSpool, records = 1_000): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const entries = await spool.peek({ ...ALL, records });
    if (entries.length === 0) return ids;
    ids.push(...entries.map(({ record }) => record.id));
    await spool.advance(entries.at(-1)!);
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const ids = (from: number, to: number) => range(from, to).map(heldId);
const filesOf = () => readdirSync(join(dir, '0')).filter((name) => name.endsWith('.spool'));
const fileOf = (index = 0) => join(dir, '0', filesOf().sort()[index]!);

describe('a spool', () => {
  it('gives entries back in order, as long as they are not done with', async () => {
    const { spool } = await opened();
    expect(await putAll(spool, range(0, 10))).toEqual(range(0, 10));
    expect(spool.size).toBe(10);
    expect(spool.oldestAt).toBe(FIRST_SENT_AT);
    const first = await spool.peek({ ...ALL, records: 3 });
    expect(first.map(({ record }) => record)).toEqual([0, 1, 2].map((n) => heldRecord(n)));
    await spool.advance(first[1]!);
    expect(spool.size).toBe(8);
    expect(await drained(spool, 3)).toEqual(ids(2, 10));
    expect([spool.size, spool.empty, spool.oldestAt]).toEqual([0, true, null]);
  });

  it('looks at no more than so many bytes, but at one entry at least', async () => {
    const { spool } = await opened();
    await putAll(spool, range(0, 5));
    expect(await spool.peek({ records: 5, bytes: ENTRY_BYTES * 2 })).toHaveLength(2);
    expect(await spool.peek({ records: 5, bytes: 1 })).toHaveLength(1);
  });

  it('commits what comes in one turn, or during an fsync, with one fsync', async () => {
    const write = jest.fn(writeDurably);
    const { spool } = await opened({ write });
    const first = putAll(spool, range(0, 100));
    await new Promise((resolve) => setImmediate(resolve));
    const second = putAll(spool, range(100, 150));
    await Promise.all([first, second]);
    expect(write).toHaveBeenCalledTimes(2);
    expect(await drained(spool)).toEqual(ids(0, 150));
  });

  it('answers no put before its fsync', async () => {
    let synced = false;
    const write: DurableWrite = async (...args) => {
      await writeDurably(...args);
      await new Promise((resolve) => setTimeout(resolve, 20));
      synced = true;
    };
    const { spool } = await opened({ write });
    await put(spool, 0).then(() => expect(synced).toBe(true));
  });

  it('uses several files and removes each when it is done with', async () => {
    const { spool } = await opened({ segmentBytes: ENTRY_BYTES * 3 });
    for (const n of range(0, 10)) await put(spool, n);
    expect(filesOf()).toHaveLength(4);
    const [first] = await spool.peek({ ...ALL, records: 1 });
    await spool.advance(first!);
    expect(filesOf()).toHaveLength(4);
    expect(await drained(spool)).toEqual(ids(1, 10));
    expect(filesOf()).toEqual([]);
  });

  it('goes on after it was empty, while puts and drains overlap', async () => {
    const { spool } = await opened({ segmentBytes: ENTRY_BYTES * 5 });
    const seen: string[] = [];
    for (let round = 0; round < 20; round++) {
      const puts = putAll(spool, range(round * 7, round * 7 + 7));
      if (round % 3 === 0) await puts;
      seen.push(...(await drained(spool, 4)));
      await puts;
    }
    seen.push(...(await drained(spool)));
    expect(seen).toEqual(ids(0, 140));
    expect([spool.empty, filesOf()]).toEqual([true, []]);
  });
});

describe('a process that opens what another left', () => {
  it('finds what was not done with, whether that one closed or was killed', async () => {
    const { spool } = await opened({ segmentBytes: ENTRY_BYTES * 3 });
    for (const n of range(0, 8)) await put(spool, n);
    await spool.advance((await spool.peek({ ...ALL, records: 2 })).at(-1)!);
    const killed = await opened();
    expect(killed.found).toEqual(range(2, 8).map((n) => `${n} ${heldId(n)}`));
    expect([killed.spool.size, killed.spool.oldestAt]).toEqual([6, FIRST_SENT_AT + 2000]);
    await put(killed.spool, 8);
    await killed.spool.close();
    const closed = await opened();
    expect(await drained(closed.spool)).toEqual(ids(2, 9));
    expect((await opened()).found).toEqual([]);
  });

  it('never uses a sequence number twice, also when nothing was left', async () => {
    const { spool } = await opened();
    await putAll(spool, [0, 1, 2]);
    await drained(spool);
    const second = await opened();
    expect(await put(second.spool, 3)).toBe(3);
    expect((await opened()).found).toEqual([`3 ${heldId(3)}`]);
  });

  it('cuts off a tail that is torn at any byte, and goes on behind it', async () => {
    const { spool } = await opened();
    await putAll(spool, [0, 1, 2]);
    await spool.close();
    const [path, data] = [fileOf(), readFileSync(fileOf())];
    for (let length = ENTRY_BYTES * 2 + 1; length < data.length; length += 1) {
      writeFileSync(path, data);
      truncateSync(path, length);
      const { found } = await opened();
      expect(found).toEqual([`0 ${heldId(0)}`, `1 ${heldId(1)}`]);
      expect(damage.at(-1)).toEqual({ at: ENTRY_BYTES * 2, bytes: length - ENTRY_BYTES * 2 });
    }
    const last = await opened();
    await put(last.spool, 9);
    expect(await drained(last.spool)).toEqual([heldId(0), heldId(1), heldId(9)]);
  });

  it('reads the files behind a damaged one', async () => {
    const { spool } = await opened({ segmentBytes: ENTRY_BYTES * 3 });
    for (const n of range(0, 6)) await put(spool, n);
    const data = readFileSync(fileOf(0));
    data[ENTRY_BYTES + 20]! ^= 1;
    writeFileSync(fileOf(0), data);
    const { spool: next, found } = await opened();
    expect(found).toEqual([0, 3, 4, 5].map((n) => `${n} ${heldId(n)}`));
    expect(await drained(next, 2)).toEqual([0, 3, 4, 5].map(heldId));
  });

  it.each(['', '99999', '7 1\n', 'x'])(
    'does everything once more when the cursor is %j',
    async (text) => {
      const { spool } = await opened();
      await putAll(spool, [0, 1, 2]);
      await spool.advance((await spool.peek({ ...ALL, records: 2 })).at(-1)!);
      writeFileSync(join(dir, '0', 'cursor'), text);
      expect((await opened()).found).toHaveLength(3);
    },
  );
});

describe('what has expired', () => {
  const SECRET = 'for your eyes only';
  const EXPIRES_AT = FIRST_SENT_AT + 60_000;

  function putExpiring(spool: PartitionSpool, n: number, expiresAt = EXPIRES_AT): Promise<void> {
    const over = { text: SECRET, expiresAt: new Date(expiresAt).toISOString() };
    const times = { sentAt: FIRST_SENT_AT, expiresAt };
    return new Promise((resolve) => {
      spool.put(encodeEntry(heldRecord(n, over)), times, () => resolve());
    });
  }

  const onDisk = () => filesOf().map((name) => readFileSync(join(dir, '0', name), 'latin1'));

  it('is cut out of the files in time, and the rest stays as it is', async () => {
    const budget = limits();
    const { spool } = await opened({ budget, segmentBytes: ENTRY_BYTES * 3 });
    for (const n of range(0, 9)) await (n % 2 === 0 ? putExpiring(spool, n) : put(spool, n));
    await putExpiring(spool, 9, EXPIRES_AT + 1);
    await spool.advance((await spool.peek({ ...ALL, records: 2 })).at(-1)!);
    expect(await spool.cut(EXPIRES_AT - 1)).toEqual([]);
    const cut = await spool.cut(EXPIRES_AT);
    expect(cut.map(({ id }) => id)).toEqual([2, 4, 6, 8].map(heldId));
    expect(onDisk().join('').split(SECRET)).toHaveLength(2);
    expect(await spool.cut(EXPIRES_AT)).toEqual([]);
    await put(spool, 10);
    expect(budget.bytes).toBe(onDisk().join('').length);
    const again = await opened();
    expect(again.found.map((one) => one.split(' ')[1])).toEqual(ids(2, 11));
    expect(await drained(spool, 3)).toEqual(ids(2, 11));
  });

  it('is cut out while more comes, also of the file that grows', async () => {
    const { spool } = await opened();
    await putExpiring(spool, 0);
    const more = putAll(spool, range(1, 20));
    const cut = await spool.cut(EXPIRES_AT);
    await Promise.all([more, putAll(spool, range(20, 30))]);
    expect(cut.map(({ id }) => id)).toEqual([heldId(0)]);
    expect(onDisk().join('')).not.toContain(SECRET);
    expect(await drained(spool)).toEqual(ids(0, 30));
  });

  it('is cut out also when it was done with before, and others after it were not', async () => {
    const { spool } = await opened();
    await putExpiring(spool, 0, EXPIRES_AT + 1);
    await putExpiring(spool, 1);
    await put(spool, 2);
    await spool.advance((await spool.peek({ ...ALL, records: 1 })).at(-1)!);
    expect(await spool.cut(EXPIRES_AT)).toHaveLength(1);
    expect(onDisk().join('').split(SECRET)).toHaveLength(2);
    expect(await spool.cut(EXPIRES_AT + 1)).toEqual([]);
    expect(onDisk().join('')).not.toContain(SECRET);
    expect(await drained(spool)).toEqual(ids(1, 3));
  });

  it('is known to a process that finds it', async () => {
    await putExpiring((await opened()).spool, 0);
    const { spool } = await opened();
    expect(await spool.cut(EXPIRES_AT)).toHaveLength(1);
    expect(onDisk().join('')).not.toContain(SECRET);
  });
});

describe('bounds', () => {
  it('is full at the limit of the partition, and of all', async () => {
    for (const over of [{ perPartition: ENTRY_BYTES * 2 }, { inAll: ENTRY_BYTES * 2 }]) {
      const budget = limits(over);
      const { spool } = await opened({ dir: join(dir, Object.keys(over)[0]!), budget });
      await putAll(spool, [0, 1]);
      await expect(put(spool, 2)).rejects.toThrow('full');
      expect(budget.bytes).toBe(ENTRY_BYTES * 2);
      await drained(spool);
      expect(budget.bytes).toBe(0);
      await put(spool, 3);
    }
  });

  it('counts what another run left', async () => {
    await putAll((await opened()).spool, [0, 1]);
    const { spool } = await opened({ budget: limits({ inAll: ENTRY_BYTES * 2 }) });
    await expect(put(spool, 2)).rejects.toThrow('full');
  });

  it('is slow when too much waits for the disk', async () => {
    const { spool } = await opened({ budget: limits({ unwritten: ENTRY_BYTES * 2 }) });
    const puts = [put(spool, 0), put(spool, 1)];
    await expect(put(spool, 2)).rejects.toThrow('slow');
    await Promise.all(puts);
    await put(spool, 3);
  });
});

describe('a disk that fails', () => {
  it('refuses everything that waits, in order, and goes on in another file', async () => {
    const budget = limits();
    const write = jest.fn(writeDurably);
    const { spool } = await opened({ budget, write });
    await put(spool, 0);
    let fail: (error: Error) => void = () => undefined;
    write.mockImplementationOnce(async (file, data, at) => {
      await writeDurably(file, data.subarray(0, 50), at);
      await new Promise((_resolve, reject) => (fail = reject));
    });
    const outcomes: string[] = [];
    const during = [1, 2].map((n) => put(spool, n).catch(() => outcomes.push(`refused ${n}`)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    during.push(put(spool, 3).catch(() => outcomes.push('refused 3')));
    fail(new Error('EIO'));
    await Promise.all(during);
    expect(outcomes).toEqual(['refused 1', 'refused 2', 'refused 3']);
    expect([spool.size, budget.bytes]).toEqual([1, ENTRY_BYTES]);
    await put(spool, 4);
    expect((await opened()).found.map((one) => one.split(' ')[1])).toEqual([heldId(0), heldId(4)]);
    expect(await drained(spool)).toEqual([heldId(0), heldId(4)]);
  });

  it('leaves out what can no longer be read, and says which entries these were', async () => {
    const { spool } = await opened({ segmentBytes: ENTRY_BYTES * 3 });
    for (const n of range(0, 5)) await put(spool, n);
    const data = readFileSync(fileOf(0));
    data[ENTRY_BYTES + 20]! ^= 1;
    writeFileSync(fileOf(0), data);
    expect(await drained(spool)).toEqual([0, 3, 4].map(heldId));
    expect([lost, damage]).toEqual([[[1, 3]], [{ at: ENTRY_BYTES, bytes: ENTRY_BYTES * 2 }]]);
    expect(spool.size).toBe(0);
  });
});
