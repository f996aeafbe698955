import { seededRandom } from '../random';
import { Connections } from './connections';
import { LoadRun } from './load-run';
import { MessageIds } from './message-ids';
import type { RunPlan } from './protocol';

const SEED = 11;
const plan: RunPlan = {
  seed: SEED,
  ratePerSecond: 100,
  senders: 4,
  warmupMs: 0,
  runMs: 1000,
  drainMs: 1000,
  textBytes: 20,
  conversations: [{ conversationId: 'two', devices: [2, 3] }],
  readWithinMs: null,
  churn: null,
  sliceMs: null,
  partitions: 1,
  historyUrls: [],
};
const nothing = { atMs: [], next: [], bases: [] };

/** A message that comes to device 2 of the second of two generators, before anything is sent. */
function pushed(messageId: string) {
  const run = new LoadRun(new Connections(), plan);
  const content = { kind: 'text', text: 'x' };
  const frame = { position: '7', previous: null, messageId, senderId: 's', content, sentAt: 't' };
  const text = { type: 'message', conversationId: 'two', ...frame, version: '0' };
  const bytes = Buffer.from(JSON.stringify(text));
  run.onFrame(2, bytes, 0, bytes.length);
  const { foreign, ledger } = run.result(nothing, false);
  return { foreign, errors: ledger.errors.map(({ type }) => type) };
}

describe('LoadRun', () => {
  // both generators make the same schedule: every number of it is one of theirs
  const ids = new MessageIds(seededRandom(SEED));
  const numbers = Array.from({ length: 40 }, (_, number) => number);

  it('finds a message of another generator among its own', () => {
    const found = numbers.map((number) => pushed(ids.make(number, 1000)));
    const invented = found.filter(({ errors }) => errors.includes('invented'));
    expect(invented.length).toBeGreaterThan(5);
    expect(invented.length).toBeLessThan(numbers.length - 5);
    for (const { foreign, errors } of found) expect(foreign).toBe(errors.length === 0 ? 1 : 0);
  });

  it('counts what belongs to another run', () => {
    const other = new MessageIds(seededRandom(SEED + 1));
    expect(pushed(other.make(3, 1000))).toEqual({ foreign: 1, errors: [] });
    expect(pushed(ids.make(1_000_000, 1000))).toEqual({ foreign: 1, errors: [] });
  });
});
