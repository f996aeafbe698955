import { Client } from 'pg';
import type { Cluster } from '@tidings/protocol/admin';
import { freePorts } from '../../tools/stack/ports';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Program } from '../support/program';
import { answerTo } from '../support/sends';
import { logLines } from '../support/service-report';
import { startTestStack } from '../support/test-stack';

/** Longer than a lease and the timeout of a group's member, milliseconds. */
const STOPPED_MS = 12_000;
const TTL_SECONDS = 10;
/** Content is gone so long after its time. */
const GONE_MS = 60_000;

describe('the leader of storage, of two', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let admin: string;
  let ann: ChatUser;

  beforeAll(async () => {
    const [port] = await freePorts(1);
    admin = `http://127.0.0.1:${port}`;
    ({ stack, stop } = await startTestStack({
      services: { gateway: 1, session: 1, presence: 1, storage: 2 },
      nodeEnv: { 'gateway-1': { ADMIN_PORT: String(port) } },
    }));
    ann = await ChatUser.create(stack.gatewayUrls);
    const command = new Program('tools/admin/main.js', {
      args: ['grant', ann.username, 'operator'],
      env: {
        STORAGE_URLS: stack.node('storage-1').url,
        CLUSTER_SECRET: stack.clusterSecret,
      },
    });
    expect(await command.ended).toBe(0);
  }, 240_000);
  afterAll(() => stop?.());

  const cluster = async (): Promise<Cluster> => {
    const answer = await ann.http<Cluster>('GET', '/v1/cluster', undefined, { base: admin });
    expect(answer.status).toBe(200);
    return answer.body;
  };
  const leader = async () =>
    (await cluster()).leaders.find(({ service }) => service === 'storage')!;

  it('is shown with nodes and lag to operators', async () => {
    await eventually(async () => {
      const { phase, leaders, nodes, lag } = await cluster();
      expect([phase, leaders.length, nodes.length]).toEqual(['normal', 1, 4]);
      expect(nodes.every(({ state }) => state === 'ready')).toBe(true);
      expect(Object.keys(lag)).toContain('storage-writer');
    }, 30_000);
    const bob = await ChatUser.create(stack.gatewayUrls);
    const refused = await bob.http('GET', '/v1/cluster', undefined, { base: admin });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    expect((await ann.http('GET', '/v1/cluster')).status).toBe(404);
  });

  it('that was stopped and wakes up leads no more: the term is another one’s', async () => {
    const before = await leader();
    const stopped = stack.node(before.node);
    const at = performance.now();
    stopped.signal('SIGSTOP');
    await eventually(async () => {
      const now = await leader();
      expect(now.node).not.toBe(before.node);
      expect(BigInt(now.term)).toBeGreaterThan(BigInt(before.term));
      expect(performance.now() - at).toBeGreaterThan(STOPPED_MS);
    }, 90_000);
    const { term } = await leader();
    stopped.signal('SIGCONT');
    await eventually(() => {
      const said = logLines(stopped.logPath, 'leads').map(({ msg }) => msg);
      expect(said.at(-1)).toBe('leads no more');
    }, 30_000);
    const after = await leader();
    expect([after.term, (await cluster()).phase]).toEqual([term, 'normal']);
  }, 180_000);

  it('is not needed to clear what has expired while Kafka is away', async () => {
    const bob = await ChatUser.create(stack.gatewayUrls);
    const { id: conversationId } = await ann.direct(bob);
    await ann.http('PATCH', `/v1/conversations/${conversationId}`, {
      messageTtlSeconds: TTL_SECONDS,
    });
    const socket = await ann.connect('gateway-1');
    const sent = textSend({ conversationId }, 'not for long');
    const answer = await answerTo(socket, sent);
    const sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
    const stored = async () => {
      const { rows } = await sql.query<{ content: string | null }>(
        'SELECT content FROM messages WHERE message_id = $1',
        [sent.messageId],
      );
      return rows;
    };
    try {
      await eventually(async () => expect(await stored()).toHaveLength(1), 20_000);
      await stack.kafka.stop();
      const end = Date.parse(String(answer['expiresAt']));
      await eventually(async () => expect(await stored()).toEqual([{ content: null }]), 90_000);
      expect(Date.now() - end).toBeLessThan(GONE_MS);
      expect(stack.kafka.isAlive()).toBe(false);
    } finally {
      await sql.end();
      await stack.kafka.restart();
    }
  }, 240_000);
});
