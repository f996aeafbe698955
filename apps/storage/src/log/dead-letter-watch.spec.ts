import { DEAD_LETTER_HEADERS as H, markHeaders } from '@tidings/common/log-events/dead-letter';
import { decodeRecord, type LogRecord } from '@tidings/common/log-events/record';
import { deadLetterTopic, GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import type { Logger } from '@tidings/common/runtime/logger';
import { Metrics } from '@tidings/common/runtime/metrics';
import { DeadLetterWatch } from './dead-letter-watch';

const WRITER = deadLetterTopic(TOPICS.messages, GROUPS.storageWriter);
const ROUTING = deadLetterTopic(TOPICS.messages, GROUPS.sessionRouting);
const ORIGIN = { topic: TOPICS.messages, partition: 1, offset: 7n, timestamp: 1 };

function setUp() {
  const state = { leader: true, fails: false };
  const logs: Record<string, LogRecord[]> = { [WRITER]: [], [ROUTING]: [] };
  const said: [string, string, object][] = [];
  const metrics = new Metrics({ service: 'storage', node: 'storage-1' });
  const say = (level: string) => (about: object, text: string) =>
    void said.push([level, text, about]);
  const watch = new DeadLetterWatch({
    offsets: {
      logBounds: (topic) =>
        state.fails
          ? Promise.reject(new Error('away'))
          : Promise.resolve([{ low: 0n, high: BigInt(logs[topic]!.length) }]),
      read: (topic, _partition, from) => {
        if (state.fails) return Promise.reject(new Error('away'));
        const records = logs[topic]!.slice(Number(from));
        const high = BigInt(logs[topic]!.length);
        return Promise.resolve({ records, next: high, low: 0n, high });
      },
    },
    topics: [WRITER, ROUTING],
    isLeader: () => state.leader,
    metrics,
    logger: { error: say('error'), info: say('info'), warn: say('warn') } as unknown as Logger,
  });
  const put = (topic: string, headers: Record<string, string>, value = '') => {
    const offset = String(logs[topic]!.length);
    const key = Buffer.from('conversation');
    const message = { offset, timestamp: '5', key, value: Buffer.from(value), headers };
    logs[topic]!.push(decodeRecord(topic, 0, message));
  };
  const letter = (
    topic: string,
    group: string,
    value = '',
    type: string = 'tidings.message.sent.v9',
  ) =>
    put(
      topic,
      {
        [H.topic]: ORIGIN.topic,
        [H.partition]: '1',
        [H.offset]: '7',
        [H.timestamp]: '1',
        [H.group]: group,
        [H.reason]: 'no',
        ce_id: 'message',
        ce_type: type,
      },
      value,
    );
  const gauges = async () =>
    [
      ...(await metrics.registry.metrics()).matchAll(
        /^tidings_dead_letters_open\{topic="([^"]+)".*\} (\d+)$/gm,
      ),
    ].map(([, topic, open]) => [topic, Number(open)]);
  return { state, said, watch, put, letter, gauges };
}

describe('the watch over dead letters', () => {
  it('is an alert of the leader until they are settled', async () => {
    const { watch, letter, put, gauges, said } = setUp();
    await watch.look();
    expect([await gauges(), said]).toEqual([
      [
        [WRITER, 0],
        [ROUTING, 0],
      ],
      [],
    ]);
    letter(WRITER, GROUPS.storageWriter);
    letter(ROUTING, GROUPS.sessionRouting);
    await watch.look();
    await watch.look();
    expect(await gauges()).toEqual([
      [WRITER, 1],
      [ROUTING, 1],
    ]);
    expect(said.map(([level, , about]) => [level, about])).toEqual([
      [
        'error',
        {
          topic: WRITER,
          open: 1,
          id: 'chat.messages.v1/1/7',
          group: GROUPS.storageWriter,
          reason: 'no',
        },
      ],
      ['error', expect.objectContaining({ topic: ROUTING, open: 1 })],
    ]);
    put(WRITER, markHeaders(ORIGIN, { mark: 'replayed', by: 'op', reason: '', to: 'x' }));
    await watch.look();
    expect(await gauges()).toEqual([
      [WRITER, 0],
      [ROUTING, 0],
    ]);
    expect(said.slice(2).map(([level]) => level)).toEqual(['info', 'info']);
  });

  it('tells nothing once another instance leads, but goes on reading', async () => {
    const { watch, letter, gauges, state, said } = setUp();
    await watch.look();
    state.leader = false;
    letter(WRITER, GROUPS.storageWriter);
    await watch.look();
    expect([await gauges(), said]).toEqual([[], []]);
    expect(watch.ofMessage('conversation', 'message')).not.toBeNull();
    state.leader = true;
    await watch.look();
    expect((await gauges())[0]).toEqual([WRITER, 1]);
  });

  it('finds the sends that storage could not apply, and nothing else', async () => {
    const { watch, letter, put } = setUp();
    const find = () => watch.ofMessage('conversation', 'message');
    letter(ROUTING, GROUPS.sessionRouting);
    await watch.look();
    expect(find()).toBeNull();
    letter(WRITER, GROUPS.storageWriter, '{"senderId":"ann"}');
    await watch.look();
    expect(find()).toMatchObject({ senderId: 'ann', group: GROUPS.storageWriter });
    expect(watch.ofMessage('conversation', 'other')).toBeNull();
    expect(watch.ofMessage('other', 'message')).toBeNull();
    put(WRITER, markHeaders(ORIGIN, { mark: 'dropped', by: 'op', reason: 'r', to: '' }));
    await watch.look();
    expect(find()).toBeNull();
  });

  it('does not take a change for a message', async () => {
    const { watch, letter } = setUp();
    letter(WRITER, GROUPS.storageWriter, '', 'tidings.message.changed.v1');
    await watch.look();
    expect(watch.ofMessage('conversation', 'message')).toBeNull();
  });

  it('keeps its figures while Kafka is away, and says so once', async () => {
    const { watch, letter, gauges, state } = setUp();
    letter(WRITER, GROUPS.storageWriter);
    await watch.look();
    state.fails = true;
    await expect(watch.look()).rejects.toThrow('away');
    await watch.look();
    expect((await gauges())[0]).toEqual([WRITER, 1]);
    state.fails = false;
    await watch.look();
    state.fails = true;
    await expect(watch.look()).rejects.toThrow('away');
  });
});
