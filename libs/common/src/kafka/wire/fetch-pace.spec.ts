import { paceFetches } from './fetch-pace';
import type { ConnectionPool, ProtocolRequest } from './kafkajs-requests';

const FETCH = 1;
const REPLICA = -1;
const CONFIGURED = { maxWait: 25, minBytes: 262_144 };
const PATIENT = { maxWait: 250, minBytes: 1 };

function setUp() {
  const seen: { maxWait: number; minBytes: number; replica: number }[] = [];
  const answers: { messages: number }[] = [];
  const pool = {
    pool: [],
    send: async (request: ProtocolRequest<unknown>) => {
      const { buf } = await request.request.encode();
      const [replica, maxWait, minBytes] = [0, 4, 8].map((at) => buf.readInt32BE(at));
      seen.push({ replica: replica!, maxWait: maxWait!, minBytes: minBytes! });
      const { messages } = answers.shift()!;
      const partitions = [{ messages: [] }, { messages: Array.from({ length: messages }) }];
      return { responses: [{ topicName: 't', partitions }] };
    },
  } as unknown as ConnectionPool;
  paceFetches(pool, PATIENT.maxWait);
  const fetch = async (messages: number, more: { apiKey?: number; apiVersion?: number } = {}) => {
    answers.push({ messages });
    const buf = Buffer.alloc(12);
    [REPLICA, CONFIGURED.maxWait, CONFIGURED.minBytes].forEach((n, i) =>
      buf.writeInt32BE(n, 4 * i),
    );
    const request = { apiKey: FETCH, apiVersion: 11, apiName: 'Fetch', ...more };
    const encode = () => Promise.resolve({ buf, buffer: buf });
    await pool.send({ request: { ...request, encode }, response: {} as never });
    const { replica, ...asked } = seen.at(-1)!;
    expect(replica).toBe(REPLICA);
    return asked;
  };
  return { fetch };
}

describe('the pace of fetches', () => {
  it('is as configured while records come, and patient behind an empty answer', async () => {
    const { fetch } = setUp();
    expect(await fetch(5)).toEqual(CONFIGURED);
    expect(await fetch(0)).toEqual(CONFIGURED);
    expect(await fetch(0)).toEqual(PATIENT);
    expect(await fetch(1)).toEqual(PATIENT);
    expect(await fetch(1)).toEqual(CONFIGURED);
  });

  it('is each connection’s own, and changes nothing else', async () => {
    const [one, two] = [setUp(), setUp()];
    await one.fetch(0);
    expect(await two.fetch(0)).toEqual(CONFIGURED);
    expect(await one.fetch(0, { apiKey: 3 })).toEqual(CONFIGURED);
    expect(await one.fetch(0, { apiVersion: 4 })).toEqual(CONFIGURED);
    expect(await one.fetch(0)).toEqual(PATIENT);
  });
});
