import type { RedisClient } from '@tidings/common/redis/client';
import type { Socket } from 'node:net';
import { RedisRig } from './redis-harness';

describe('the connection to Redis', () => {
  let rig: RedisRig;
  let client: RedisClient;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
  }, 240_000);
  afterAll(() => rig?.stop());

  /** Counts the writes that reach the socket. */
  function writesOf(socket: Socket): () => number {
    let writes = 0;
    const write = socket._write.bind(socket);
    const writev = socket._writev!.bind(socket);
    socket._write = (...all) => {
      writes++;
      write(...all);
    };
    socket._writev = (...all) => {
      writes++;
      writev(...all);
    };
    return () => writes;
  }

  it('sends what several callers ask in one turn with one write, and answers each in order', async () => {
    const writes = writesOf(client.stream as Socket);
    const asked = async (i: number): Promise<string | null> => {
      await Promise.resolve();
      await client.set(`key-${i}`, `value ${i} é`);
      return client.get(`key-${i}`);
    };
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => asked(i)));
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => `value ${i} é`));
    expect(writes()).toBeLessThanOrEqual(4);
    const pipeline = client.pipeline().get('key-1').get('key-2');
    const before = writes();
    const [one, two] = await Promise.all([pipeline.exec(), client.get('key-3')]);
    expect(one).toEqual([
      [null, 'value 1 é'],
      [null, 'value 2 é'],
    ]);
    expect(two).toBe('value 3 é');
    expect(writes() - before).toBe(1);
  });
});
