import { TidingsError } from '@tidings/protocol/errors';
import { Metrics } from '@tidings/common/runtime/metrics';
import { FakeWriter } from '../testing/fake-writer';
import { fakeConnection } from '../testing/fake-connection';
import { REPEAT_MS } from '../socket/typing-state';
import { TypingHandler } from './typing.handler';
import { TypingLog } from './typing-log';
import { TypingMetrics } from './typing.metrics';
import type { SendTerms } from '../members/membership';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A writer that a stalled partition can be taken from. */
class Waiting extends FakeWriter {
  takeWaiting = () => this.appends.splice(0) as never[];
}

function setUp(most?: number) {
  const world = { now: 0, known: true, refusal: null as string | null, shed: false };
  const asked: (() => void)[] = [];
  const membership = {
    maySend: () => world.known,
    requireSender: () =>
      new Promise<SendTerms>((resolve, reject) => {
        asked.push(() => {
          if (world.refusal === null) resolve({ ttlSeconds: null });
          else reject(new TidingsError(world.refusal as 'blocked'));
        });
      }),
  };
  const registry = new Metrics({ service: 'gateway', node: 'g' });
  const metrics = new TypingMetrics(registry);
  const writer = new Waiting();
  const log = new TypingLog({ writer, metrics, wallClock: () => 0 });
  const lanes = { sheds: () => world.shed };
  const parts = { membership, log, metrics, lanes, clock: () => world.now };
  const handler = new TypingHandler(parts, most);
  const fake = fakeConnection();
  const typing = (active: boolean, conversationId = 'c', connection = fake.connection): void =>
    void handler.handle(connection, { type: 'typing', conversationId, active });
  const told = () =>
    writer.appends.map(({ record }) => {
      const value = JSON.parse(String(record.value)) as { active: boolean; conversationId: string };
      return `${value.conversationId} ${value.active}`;
    });
  const dropped = async (): Promise<Record<string, number>> => {
    const metric = await registry.registry.getSingleMetric('tidings_typing_dropped_total')!.get();
    return Object.fromEntries(metric.values.map((v) => [v.labels['why'], v.value]));
  };
  return { world, asked, writer, log, handler, ...fake, typing, told, dropped };
}

describe('TypingHandler', () => {
  it('appends the beginning and the end at once, and never answers', () => {
    const { typing, told, writer, connection, frames } = setUp();
    typing(true);
    typing(true);
    typing(false);
    typing(false);
    expect(told()).toEqual(['c true', 'c false']);
    expect(writer.appends[0]!.record).toMatchObject({ key: 'c', type: 'tidings.typing.v1' });
    expect(JSON.parse(String(writer.appends[0]!.record.value))).toMatchObject({
      userId: connection.userId,
    });
    expect(frames).toEqual([]);
  });

  it.each(['no_such_conversation', 'blocked', 'unavailable'])(
    'says nothing to whom storage answers %s, and appends nothing',
    async (refusal) => {
      const { world, asked, typing, told, frames, dropped } = setUp();
      Object.assign(world, { known: false, refusal });
      typing(true);
      asked[0]!();
      await settle();
      typing(false);
      expect([told(), frames]).toEqual([[], []]);
      const why = refusal === 'unavailable' ? 'unavailable' : 'refused';
      expect(await dropped()).toEqual({ [why]: 1 });
    },
  );

  it('does not tell a beginning that has ended while it was asked about', async () => {
    const { world, asked, typing, told } = setUp();
    world.known = false;
    typing(true);
    typing(false);
    asked[0]!();
    await settle();
    expect(told()).toEqual([]);
  });

  it('ends what a closed socket began, once, and nothing that comes in afterwards', async () => {
    const { world, asked, typing, told, handler, connection } = setUp();
    typing(true);
    typing(true, 'd');
    world.known = false;
    typing(true, 'e');
    handler.closed(connection);
    handler.closed(connection);
    asked[0]!();
    await settle();
    expect(told()).toEqual(['c true', 'd true', 'c false', 'd false']);
  });

  it('tells what is news, before and after it was said', () => {
    const { world, handler, connection, typing } = setUp();
    const isNews = (active: boolean): boolean =>
      handler.isNews(connection, { type: 'typing', conversationId: 'c', active });
    expect([isNews(true), isNews(false)]).toEqual([true, false]);
    typing(true);
    expect([isNews(true), isNews(false)]).toEqual([false, true]);
    world.now = REPEAT_MS;
    expect([isNews(true), isNews(false)]).toEqual([true, true]);
    typing(false);
    expect([isNews(true), isNews(false)]).toEqual([true, false]);
  });

  it('drops what came too soon, and counts it; the end is not told later either', async () => {
    const { handler, connection, typing, told, dropped, frames } = setUp();
    typing(true);
    for (const active of [true, false]) {
      handler.limited(connection, { type: 'typing', conversationId: 'c', active });
    }
    handler.closed(connection);
    expect([told(), frames]).toEqual([['c true'], []]);
    expect(await dropped()).toEqual({ rate: 2 });
  });

  it('drops all while typing is shed, asks nobody for it, and begins anew behind it', async () => {
    const { world, asked, handler, connection, typing, told, dropped, frames } = setUp();
    typing(true, 'began before');
    Object.assign(world, { shed: true, known: false });
    typing(true);
    typing(false);
    handler.closed(connection);
    expect([told(), frames, asked]).toEqual([['began before true'], [], []]);
    expect(await dropped()).toEqual({ shed: 3 });
    Object.assign(world, { shed: false, known: true, now: REPEAT_MS });
    typing(true);
    expect(told()).toEqual(['began before true', 'c true']);
  });

  it('does not tell what was asked about before it was shed', async () => {
    const { world, asked, typing, told, dropped } = setUp();
    world.known = false;
    typing(true);
    world.shed = true;
    asked[0]!();
    await settle();
    expect(told()).toEqual([]);
    expect(await dropped()).toEqual({ shed: 1 });
  });

  it('bounds how many are asked for at a time', async () => {
    const { world, asked, typing, dropped } = setUp(2);
    world.known = false;
    for (const id of ['a', 'b', 'c']) typing(true, id);
    expect(asked).toHaveLength(2);
    expect(await dropped()).toEqual({ busy: 1 });
  });

  it('drops what the log does not take, and what waits in a stalled partition', async () => {
    const { writer, typing, log, dropped } = setUp();
    writer.full = true;
    typing(true);
    writer.full = false;
    typing(true, 'd');
    typing(true, 'e');
    log.stalled(0);
    log.stalled(0);
    expect(await dropped()).toEqual({ full: 1, stalled: 2 });
  });
});
