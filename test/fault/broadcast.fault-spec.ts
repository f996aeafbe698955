import { Client } from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Broadcast } from '@tidings/protocol/broadcasts';
import type { Message } from '@tidings/protocol/content';
import type { SyncedConversation } from '@tidings/protocol/frames';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { manyChatUsers } from '../support/many-users';
import { openSocket, type Frame, type TestSocket } from '../support/test-socket';
import { startTestStack } from '../support/test-stack';
import { reportFault } from './fault-run';

/** `BROADCAST_USERS=200` is a quick look. */
const USERS = Number(process.env['BROADCAST_USERS'] ?? 2_000);
const AWAY = USERS / 4;
/** Who connect at a time. */
const AT_ONCE = 20;
const GATEWAYS = ['gateway-1', 'gateway-2', 'gateway-3'];
const BACK_WITHIN_MS = 500;
const PATIENT_MS = 120_000;
/** The lock under which one instance at a time appends what is for everybody. */
const LOCK = `hashtextextended('${EVERYONE_ID}', 7301)`;

/** A user who is told of broadcasts: comes back when the gateway dies, and says what has been received. */
class Listener {
  /** How often each message came, by push or by sync. */
  readonly came = new Map<string, number>();
  private socket: TestSocket | null = null;
  private since: string | undefined;
  private have = '0';
  private ended = false;

  constructor(readonly user: ChatUser) {}

  /** Connects somewhere, and again after each loss until it is ended. */
  async connect(gateway?: string): Promise<void> {
    const { ticket, url } = await this.user.ticket(gateway);
    const socket = await openSocket(url, ticket);
    this.socket = socket;
    socket.onFrame = (frame) => this.take(frame);
    for (const frame of socket.frames) this.take(frame);
    socket.raw.on('close', () => void this.join());
  }

  /** Connects anywhere, however often that has to be tried. */
  async join(): Promise<void> {
    while (!this.ended) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * BACK_WITHIN_MS));
      try {
        this.user.bases.push(this.user.bases.shift()!);
        return await this.connect();
      } catch {
        // that gateway is not there, or busy: the next one
      }
    }
  }

  end(): void {
    this.ended = true;
    this.socket?.cut();
  }

  private take(frame: Frame): void {
    if (frame.type === 'welcome' || frame.type === 'resync') this.sync();
    if (frame.type === 'message') this.note(frame as unknown as Message);
    // busy with the others that come back
    if (frame.type === 'error' && frame['ref'] === 's') this.later();
    if (frame.type !== 'synced') return;
    for (const { messages, state } of frame['conversations'] as SyncedConversation[]) {
      if (state !== 'gone') messages.forEach((message) => this.note(message));
    }
    // the marks that a lost gateway had not passed on, too
    if (this.have !== '0') this.received();
    if (frame['since'] !== undefined) this.since = frame['since'] as string;
    if (frame['delayed'] === true) this.later();
    else if (frame['complete'] === false) this.sync();
  }

  private later(): void {
    setTimeout(() => this.ended || this.sync(), BACK_WITHIN_MS);
  }

  private sync(): void {
    const held = [{ conversationId: EVERYONE_ID, position: this.have }];
    const conversations = this.have === '0' || this.since === undefined ? undefined : held;
    this.socket?.send({ type: 'sync', ref: 's', since: this.since, conversations });
  }

  private note({ conversationId, messageId, position }: Message): void {
    if (conversationId !== EVERYONE_ID) return;
    this.came.set(messageId, (this.came.get(messageId) ?? 0) + 1);
    if (BigInt(position) > BigInt(this.have)) this.have = position;
    this.received();
  }

  private received(): void {
    const position = this.have;
    this.socket?.send({ type: 'received', conversationId: EVERYONE_ID, position });
  }
}

/** Who comes back elsewhere asks another gateway than the others do. */
function withOwnBases(user: ChatUser): ChatUser {
  const { id, deviceId, accessToken } = user;
  const own = new ChatUser([...user.bases], user.username);
  return Object.assign(own, { id, deviceId, accessToken });
}

describe(`broadcasts to ${USERS} users, of whom ${AWAY} are away, while processes are killed`, () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let sql: Client;
  let writer: ChatUser;
  const listeners: Listener[] = [];
  const away: Listener[] = [];

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 3, session: 2, presence: 1, storage: 2 },
      restart: true,
    }));
    sql = new Client({ connectionString: stack.databaseUrl });
    await sql.connect();
    const users = (await manyChatUsers(stack, USERS)).map(withOwnBases);
    writer = users[0]!;
    await sql.query(`INSERT INTO user_roles (user_id, role) VALUES ($1, 'broadcaster')`, [
      writer.id,
    ]);
    listeners.push(...users.slice(AWAY).map((user) => new Listener(user)));
    away.push(...users.slice(0, AWAY).map((user) => new Listener(user)));
    await all(listeners, (one, n) => one.connect(GATEWAYS[n % GATEWAYS.length]));
  }, 600_000);
  afterAll(async () => {
    for (const one of [...listeners, ...away]) one.end();
    await sql?.end();
    await stop?.();
  }, 120_000);

  async function all(
    some: readonly Listener[],
    work: (one: Listener, n: number) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < some.length) {
        const n = next++;
        await work(some[n]!, n);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }
  /** The gateway that is not killed. */
  const alive = () => ({ base: stack.gatewayUrls[0]! });
  const write = async (messageId: string): Promise<string> => {
    const content = { kind: 'text', text: `to all ${messageId}` };
    const asked = { messageId, content };
    return (await writer.http<Broadcast>('POST', '/v1/broadcasts', asked, alive())).body.state;
  };
  const state = async (messageId: string) =>
    (await writer.http<Broadcast>('GET', `/v1/broadcasts/${messageId}`, undefined, alive())).body;
  const leader = async (): Promise<string> => {
    const { rows } = await sql.query<{ node: string }>(
      `SELECT node_id AS node FROM leaders WHERE service = 'storage'`,
    );
    return rows[0]!.node;
  };
  const reaches = (some: readonly Listener[], messageId: string) =>
    eventually(
      () => expect(some.filter(({ came }) => !came.has(messageId)).length).toBe(0),
      PATIENT_MS,
    );

  it('each is there once for everybody who was registered, and the counts end at the audience', async () => {
    const [ofLeader, ofSession, ofGateway] = [uuidv7(), uuidv7(), uuidv7()];
    // the leader dies between accepting and appending
    const blocker = new Client({ connectionString: stack.databaseUrl });
    await blocker.connect();
    await blocker.query(`SELECT pg_advisory_lock(${LOCK})`);
    expect(await write(ofLeader)).toBe('queued');
    process.kill(stack.node(await leader()).pid, 'SIGKILL');
    await blocker.end();
    await reaches(listeners, ofLeader);
    // session dies in the middle of the fan-out, wherever the conversation is routed
    const written = write(ofSession);
    await eventually(() => expect(listeners.some(({ came }) => came.has(ofSession))).toBe(true));
    for (const id of ['session-1', 'session-2']) process.kill(stack.node(id).pid, 'SIGKILL');
    expect(await written).toBe('sent');
    await reaches(listeners, ofSession);
    // a gateway dies with sockets that are not written to yet
    const last = write(ofGateway);
    await eventually(() => expect(listeners.some(({ came }) => came.has(ofGateway))).toBe(true));
    process.kill(stack.node('gateway-2').pid, 'SIGKILL');
    await last;
    await reaches(listeners, ofGateway);
    const late = new Listener(await ChatUser.create([stack.gatewayUrls[0]!]));
    await late.join();
    // who was away
    await all(away, (one) => one.join());
    const everybody = [...listeners, ...away];
    const ids = [ofLeader, ofSession, ofGateway];
    for (const id of ids) await reaches(away, id);
    for (const id of ids) {
      await eventually(async () => {
        expect(await state(id)).toMatchObject({
          state: 'sent',
          audience: USERS,
          delivered: USERS,
          pending: 0,
        });
      }, PATIENT_MS);
    }
    const copies = everybody.flatMap(({ came }) => [...came.values()]);
    const doubled = copies.reduce((sum, times) => sum + times - 1, 0);
    const share = doubled / copies.length;
    reportFault('broadcasts', { users: USERS, copies: copies.length, doubled, share });
    expect(copies).toHaveLength(USERS * ids.length);
    expect(share).toBeLessThan(0.01);
    expect([...late.came.keys()]).toEqual([]);
    late.end();
    const { rows } = await sql.query(
      'SELECT count(*)::int AS n FROM messages WHERE conversation_id = $1',
      [EVERYONE_ID],
    );
    expect(rows).toEqual([{ n: ids.length }]);
  }, 600_000);
});
