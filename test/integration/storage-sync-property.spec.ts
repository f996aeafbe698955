import './small-sync-limits';
import fc from 'fast-check';
import type { SyncRequest } from '@tidings/protocol/frames';
import { Database } from '../../apps/storage/src/database/database';
import { WriterMetrics } from '../../apps/storage/src/messages/writer-metrics';
import { checkRest, runs, take } from '../../clients/sdk/testing/model-steps';
import { digestOf } from '../../clients/sdk/testing/model-sync';
import { ModelWorld } from '../../clients/sdk/testing/model-world';
import { createLogger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { StorageOfModel, type StorageParts } from './storage-of-model';
import { PARTITIONS, StorageFixture } from './storage-support';

/** More of them on demand: the space of histories is large. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 60);
/** No new run begins after this time, in milliseconds, when there were enough. */
const LIMIT_MS = Number(process.env['PROPERTY_MS'] ?? 20_000);
/** What a failure printed, to see it again. */
const SEED = process.env['PROPERTY_SEED'];
const REPLAY = SEED
  ? { seed: Number(SEED), path: process.env['PROPERTY_PATH'] ?? '', endOnFailure: true }
  : {};
/** So many at least, however slow the machine is. */
const LEAST = SEED ? 1 : Math.min(RUNS, 15);
/**
 * In seconds: expired when it is written, never, not during this test. PostgreSQL's clock is the
 * machine's, the model's runs ahead of it.
 */
const LIFETIMES = [-24 * 3600, null, 30 * 24 * 3600];

describe('storage: any history, and any client of it', () => {
  let fixture: StorageFixture;
  let parts: StorageParts;

  beforeAll(async () => {
    fixture = await StorageFixture.start();
    const options = { url: fixture.servers.databaseUrl, name: 'test', connections: 4 };
    const metrics = new WriterMetrics(new Metrics({ service: 'storage', node: 'test' }));
    const logger = createLogger({ service: 'storage', nodeId: 'test', level: 'silent' });
    const database = new Database(options, () => undefined);
    parts = { database, metrics, logger, partitions: PARTITIONS };
  }, 240_000);

  afterAll(async () => {
    await parts?.database.close();
    await fixture?.stop();
  });

  it('answers of sync make its devices equal to a new one, and to what is visible', async () => {
    const until = performance.now() + LIMIT_MS;
    let taken = 0;
    await fc.assert(
      fc.asyncProperty(runs(70, LIFETIMES), async (run) => {
        if (taken >= LEAST && performance.now() > until) return;
        let storage!: StorageOfModel;
        const world = new ModelWorld(
          (log) => (storage = new StorageOfModel(log, parts)),
          Date.now(),
        );
        await storage.begin();
        await take(world, run);
        await checkRest(world);
        await checkAnswer(world, storage);
        await checkChanges(world, storage);
        expect(await world.stop()).toBe(0);
        taken++;
      }),
      { numRuns: RUNS, ...REPLAY },
    );
    console.log(`${taken} of ${RUNS} runs`);
    expect(taken).toBeGreaterThanOrEqual(LEAST);
  }, 600_000);

  /** What the statements count for a new device is what the model counts. */
  const checkAnswer = async ({ log }: ModelWorld, storage: StorageOfModel): Promise<void> => {
    const bodies = await storage.sync({}, null);
    const answers = new Map(
      bodies.flatMap((body) => body.conversations).map((c) => [c.conversationId, c]),
    );
    const mine = log.begun().filter((conversationId) => log.isMember(conversationId));
    if (bodies.at(-1)!.complete) expect([...answers.keys()].sort()).toEqual(mine);
    for (const [conversationId, answer] of answers) {
      const visible = log.visible(conversationId);
      expect(answer.messages).toEqual(visible.slice(-3));
      expect(answer.more).toBe(visible.length > 3);
      expect(answer.upTo).toBe(String(log.last(conversationId)));
      expect(answer.unread).toBe(log.unread(conversationId));
      expect(answer.receipts).toEqual(log.receipts(conversationId));
      expect(answer.digest).toBe(digestOf(visible));
    }
  };

  /** Whatever position a client stands at, it is served every message below that was changed above. */
  const checkChanges = async ({ log }: ModelWorld, storage: StorageOfModel): Promise<void> => {
    for (const conversationId of log.begun().filter((id) => log.isMember(id))) {
      const visible = log.visible(conversationId);
      for (const { position } of visible.slice(-8)) {
        const served = new Map<string, string>();
        let request: SyncRequest = { conversations: [{ conversationId, position }] };
        for (;;) {
          const bodies = await storage.sync(request, null);
          const messages = bodies.flatMap((b) => b.conversations).flatMap((c) => c.messages);
          for (const m of messages) served.set(m.messageId, m.version);
          const { since, complete } = bodies.at(-1)!;
          if (complete) break;
          request = { since };
        }
        for (const m of visible) {
          if (Number(m.position) > Number(position) || Number(m.version) <= Number(position))
            continue;
          expect([m.messageId, served.get(m.messageId)]).toEqual([m.messageId, m.version]);
        }
      }
    }
  };
});
