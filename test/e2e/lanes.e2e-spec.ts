import { Client } from 'pg';
import { uuidv7 } from 'uuidv7';
import type { Cluster } from '@tidings/protocol/admin';
import type { Page, Presence, Receipt } from '@tidings/protocol/http';
import { type Lane, LANES } from '@tidings/protocol/lanes';
import { pause } from '@tidings/common/runtime/waiting';
import { MemoryOutboxStore, type TidingsClient } from '@tidings/sdk';
import { nodeClient } from '@tidings/sdk/node';
import { freePorts } from '../../tools/stack/ports';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser, textSend } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Program } from '../support/program';
import { logLines, metricOf } from '../support/service-report';
import { startTestStack } from '../support/test-stack';
import type { Frame, TestSocket } from '../support/test-socket';

/** Lag of storage at which gateway-1 sheds its first lane; the last at four times as much. */
const LAG_SECONDS = 3;
/** Until all lanes are shed, on a busy machine. */
const FULL_MS = 90_000;
const CALM_MS = 10_000;
const BACK_MS = 60_000;
/** While presence is shed a user is told of once in this time; less what two clocks and a timer differ. */
const JOINED_MS = 10_000 - 500;
const ORDER = LANES.map((_lane, i) => LANES.slice(0, i + 1));

const RETRY_MS = 1_000;

/** Sends of one socket that are without an answer at a time; what is refused is sent again, as a client does. */
class Flood {
  readonly sent: string[] = [];
  readonly busy: Frame[] = [];
  private refused: string[] = [];
  private ended = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly socket: TestSocket,
    private readonly conversationId: string,
    outstanding: number,
  ) {
    socket.onFrame = (frame) => this.take(frame);
    for (let i = 0; i < outstanding; i++) this.next();
  }

  /** Begins nothing more; what is refused is still sent again. */
  end(): void {
    this.ended = true;
  }

  private next(id = uuidv7(), again = false): void {
    const frame = textSend({ conversationId: this.conversationId }, 'more', id);
    this.socket.send(again ? { ...frame, retry: true } : frame);
  }

  private take(frame: Frame): void {
    if (frame.type === 'sent') {
      this.sent.push(frame['messageId'] as string);
      if (!this.ended) this.next();
    } else if (frame.type === 'error') {
      this.busy.push(frame);
      this.refused.push(frame['messageId'] as string);
      // one that is refused because an earlier one was says no time of its own
      this.timer ??= setTimeout(
        () => this.again(),
        (frame['retryAfterMs'] as number | undefined) ?? RETRY_MS,
      );
    }
  }

  private again(): void {
    this.timer = null;
    for (const id of this.refused.splice(0)) this.next(id, true);
  }
}

describe('lanes', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let admin: string;
  let ann: ChatUser;
  let bob: ChatUser;
  let id: string;
  let lock: Client;
  const sockets: TestSocket[] = [];
  const clients: TidingsClient[] = [];

  beforeAll(async () => {
    const [port] = await freePorts(1);
    admin = `http://127.0.0.1:${port}`;
    ({ stack, stop } = await startTestStack({
      nodeEnv: {
        'gateway-1': { SHED_LAG_SECONDS: String(LAG_SECONDS), ADMIN_PORT: String(port) },
        'gateway-2': { SHED_QUEUED_RECORDS: '1' },
      },
    }));
    ann = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    bob = await ChatUser.create(stack.gatewayUrls, { at: 1 });
    id = (await ann.direct(bob)).id;
    lock = new Client({ connectionString: stack.databaseUrl });
    await lock.connect();
    const command = new Program('tools/admin/main.js', {
      args: ['grant', ann.username, 'operator'],
      env: { STORAGE_URLS: stack.node('storage-1').url, CLUSTER_SECRET: stack.clusterSecret },
    });
    expect(await command.ended).toBe(0);
  }, 240_000);
  afterAll(async () => {
    for (const client of clients) await client.stop();
    for (const socket of sockets) socket.cut();
    await lock?.end();
    await stop?.();
  });

  async function connect(user: ChatUser, gatewayId: string): Promise<TestSocket> {
    const socket = await user.connect(gatewayId);
    sockets.push(socket);
    return socket;
  }

  /** Storage cannot apply what comes: it falls behind, and nothing else is away. */
  const stall = async (): Promise<void> => {
    await lock.query('BEGIN');
    await lock.query('SELECT next FROM log_progress FOR UPDATE');
  };
  const goOn = () => lock.query('ROLLBACK');

  /** An SDK client of a user that has no other gateway to go to. */
  async function clientAt(user: ChatUser, gatewayId: string): Promise<TidingsClient> {
    const avoid = ['gateway-1', 'gateway-2'].filter((other) => other !== gatewayId);
    const client = nodeClient({
      servers: user.bases,
      outbox: new MemoryOutboxStore(),
      fetch: (url, init) => {
        if (!String(url).endsWith('/v1/connections')) return fetch(url, init);
        const body = JSON.parse(init!.body as string) as object;
        return fetch(url, { ...init, body: JSON.stringify({ ...body, avoid }) });
      },
    });
    clients.push(client);
    await client.login({ username: user.username, password: ChatUser.PASSWORD });
    await client.start();
    await client.whenSynced();
    expect(client.gatewayId).toBe(gatewayId);
    return client;
  }

  async function say(socket: TestSocket, text: string): Promise<string> {
    const frame = textSend({ conversationId: id }, text);
    socket.send(frame);
    const sent = await socket.find((f) => f.type === 'sent' && f['messageId'] === frame.messageId);
    return sent['position'] as string;
  }
  const lanesTold = (socket: TestSocket) => socket.of('shed').map((frame) => frame['lanes']);
  const receiptsOf = (socket: TestSocket, user: ChatUser, from = 0): Frame[] =>
    socket
      .of('receipt')
      .slice(from)
      .filter((frame) => frame['userId'] === user.id);
  const words = (socket: TestSocket, user: ChatUser): Frame[] =>
    socket.of('presence').filter((frame) => frame['userId'] === user.id);
  const typingTold = (socket: TestSocket) => socket.of('typing').length;
  /** Of gateway-1. */
  const metric = (name: string, label = '') => metricOf(admin, name, label);
  const presenceOf = async (user: ChatUser): Promise<Presence> => {
    const path = `/v1/presence?userIds=${user.id}`;
    return (await ann.http<Page<Presence>>('GET', path)).body.items[0]!;
  };
  const shedding = async (): Promise<Cluster['shedding']> => {
    const answer = await ann.http<Cluster>('GET', '/v1/cluster', undefined, { base: admin });
    expect(answer.status).toBe(200);
    return answer.body.shedding;
  };
  const typing = (socket: TestSocket, active: boolean): void =>
    socket.send({ type: 'typing', conversationId: id, active });

  it('are shed in their order, typing dropped, presence and receipts joined, and all ends as it is', async () => {
    const [a, b] = [await connect(ann, 'gateway-1'), await connect(bob, 'gateway-2')];
    // the same user at a gateway that sheds nothing: what there would have been to hear
    const elsewhere = await connect(await ann.onNewDevice(0), 'gateway-2');
    const client = await clientAt(ann, 'gateway-1');
    const heard: string[] = [];
    client.on('shed', ({ lanes }) => heard.push(lanes.join(' ')));
    const mine: string[] = [];
    const his: string[] = [];
    for (let i = 0; i < 5; i++) {
      mine.push(await say(a, `of ann ${i}`));
      his.push(await say(b, `of bob ${i}`));
    }
    for (const socket of [a, elsewhere]) socket.send({ type: 'watch', userIds: [bob.id] });
    await eventually(() => {
      for (const socket of [a, elsewhere]) expect(words(socket, bob)).not.toEqual([]);
    });
    typing(b, true);
    await eventually(() => expect(typingTold(a)).toBe(1));
    typing(b, false);
    await eventually(() => expect(typingTold(a)).toBe(2));

    await stall();
    try {
      await say(b, 'in the log, not in the archive');
      await eventually(() => expect(lanesTold(a)).toHaveLength(LANES.length), FULL_MS);
      expect(lanesTold(a)).toEqual(ORDER);
      await eventually(() => {
        expect(heard).toEqual(ORDER.map((lanes) => lanes.join(' ')));
        expect(client.shedding).toEqual(LANES);
      });
      expect([lanesTold(b), lanesTold(elsewhere)]).toEqual([[], []]);
      const newcomer = await connect(await ann.onNewDevice(0), 'gateway-1');
      await newcomer.next('shed');
      expect(newcomer.frames.slice(0, 2)).toMatchObject([
        { type: 'welcome' },
        { type: 'shed', lanes: LANES },
      ]);
      const shed = [{ gateway: 'gateway-1', lanes: LANES, text: false }];
      await eventually(async () => expect(await shedding()).toEqual(shed));
      await typingIsDropped(a, b, elsewhere);
      await presenceIsJoined(a, b, elsewhere);
      await receiptsAreJoined(a, b, elsewhere, mine);
      await ownReceiptsAreJoined(a, b, his);
      // messages are in no lane
      const text = await say(a, 'as ever');
      await b.find((f) => f.type === 'message' && f['position'] === text);
      expect(lanesTold(a)).toEqual(ORDER);
    } finally {
      await goOn();
    }
    const calmAt = performance.now();
    await eventually(() => expect(lanesTold(a).at(-1)).toEqual([]), BACK_MS);
    expect(performance.now() - calmAt).toBeGreaterThan(CALM_MS - 1_000);
    // on a busy machine they may come back one after the other
    const back = lanesTold(a).slice(ORDER.length) as Lane[][];
    expect(back).toEqual(back.map(({ length }) => LANES.slice(0, length)));
    for (const [i, { length }] of back.entries()) {
      expect(length).toBeLessThan(back[i - 1]?.length ?? LANES.length);
    }
    await eventually(() => expect([heard.at(-1), client.shedding]).toEqual(['', []]));
    await eventually(async () => expect(await shedding()).toEqual([]));
    const log = stack.node('gateway-1').logPath;
    expect(logLines(log, 'sheds more').map((line) => line['lanes'])).toEqual(ORDER);
    expect(logLines(log, 'sheds less').map((line) => line['lanes'])).toEqual(back);
    expect(await metric('lane_changes_total', 'to="shed"')).toBe(LANES.length);
    expect(await metric('lane_shed')).toBe(0);
    // everything is as it would have been
    const before = typingTold(a);
    typing(b, true);
    await eventually(() => expect(typingTold(a)).toBe(before + 1));
    const last = await presenceOf(bob);
    await eventually(() => expect(words(a, bob).at(-1)!['status']).toBe(last.status));
    const marks = await ann.http<Page<Receipt>>('GET', `/v1/conversations/${id}/receipts`);
    expect(marks.body.items).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ userId: ann.id, read: his.at(-1) }),
        expect.objectContaining({ userId: bob.id, read: mine.at(-1) }),
      ]),
    );
    await client.stop();
  }, 300_000);

  /** Neither what comes in nor what others say goes on; both are counted. */
  async function typingIsDropped(a: TestSocket, b: TestSocket, elsewhere: TestSocket) {
    const [atA, atB, there] = [a, b, elsewhere].map(typingTold) as [number, number, number];
    typing(b, true);
    await eventually(() => expect(typingTold(elsewhere)).toBe(there + 1));
    const withheld = () => metric('lane_withheld_total', 'lane="typing"');
    await eventually(async () => expect(await withheld()).toBeGreaterThan(0));
    typing(a, true);
    const dropped = () => metric('typing_dropped_total', 'why="shed"');
    await eventually(async () => expect(await dropped()).toBe(1));
    typing(b, false);
    await eventually(() => expect(typingTold(elsewhere)).toBe(there + 2));
    // b hears of elsewhere's typing: the lane is whole there, and what a said is not on its way
    typing(elsewhere, true);
    await eventually(() => expect(typingTold(b)).toBe(atB + 1));
    typing(elsewhere, false);
    await eventually(() => expect(typingTold(b)).toBe(atB + 2));
    expect(typingTold(a)).toBe(atA);
  }

  /** Each change comes to the other gateway; to this one the latest, in its time. */
  async function presenceIsJoined(a: TestSocket, b: TestSocket, elsewhere: TestSocket) {
    const [from, there] = [words(a, bob).length, words(elsewhere, bob).length];
    for (let i = 1; i <= 8; i++) {
      b.send({ type: 'state', mode: i % 2 === 1 ? 'background' : 'front' });
      await eventually(() => expect(words(elsewhere, bob)).toHaveLength(there + i), 20_000);
    }
    // one that says the same again is told to nobody who has heard it
    const last: Frame = { ...words(elsewhere, bob).at(-1)!, version: expect.any(Number) };
    await eventually(() => expect(words(a, bob).at(-1)).toEqual(last), 30_000);
    const told = words(a, bob).slice(from);
    expect(told.length).toBeLessThan(8);
    const times = told.map((frame) => a.arrivals[a.frames.indexOf(frame)]!);
    for (const [i, at] of times.slice(1).entries()) {
      expect(at - times[i]!).toBeGreaterThan(JOINED_MS);
    }
    expect(await metric('lane_joined_total', 'lane="presence"')).toBeGreaterThan(0);
    expect((await presenceOf(bob)).status).toBe(last['status']);
  }

  /** Marks of others: each comes to the other gateway; to this one fewer, and the last. */
  async function receiptsAreJoined(
    a: TestSocket,
    b: TestSocket,
    elsewhere: TestSocket,
    positions: readonly string[],
  ) {
    const [from, there] = [a.of('receipt').length, elsewhere.of('receipt').length];
    for (const position of positions) {
      b.send({ type: 'read', conversationId: id, position });
      await eventually(() =>
        expect(receiptsOf(elsewhere, bob, there).at(-1)).toMatchObject({ read: position }),
      );
    }
    await eventually(
      () => expect(receiptsOf(a, bob, from).at(-1)).toMatchObject({ read: positions.at(-1) }),
      20_000,
    );
    expect(receiptsOf(elsewhere, bob, there)).toHaveLength(positions.length);
    expect(receiptsOf(a, bob, from).length).toBeLessThan(positions.length);
    expect(await metric('lane_joined_total', 'lane="receipts"')).toBeGreaterThan(0);
  }

  /** Marks of this gateway's own clients go to the log once, later, with the last. */
  async function ownReceiptsAreJoined(a: TestSocket, b: TestSocket, positions: readonly string[]) {
    const from = b.of('receipt').length;
    const at = performance.now();
    for (const position of positions) a.send({ type: 'read', conversationId: id, position });
    await eventually(
      () => expect(receiptsOf(b, ann, from).at(-1)).toMatchObject({ read: positions.at(-1) }),
      20_000,
    );
    expect(receiptsOf(b, ann, from)).toHaveLength(1);
    expect(performance.now() - at).toBeGreaterThan(4_500);
  }

  it('text is answered `busy` when nothing else helps; the outbox sends it later, once and in order', async () => {
    const crowd = await Promise.all([0, 1, 2].map(() => ChatUser.create(stack.gatewayUrls)));
    const floods: Flood[] = [];
    const crowded: TestSocket[] = [];
    for (const user of crowd) {
      crowded.push(await connect(user, 'gateway-2'));
      floods.push(new Flood(crowded.at(-1)!, (await user.direct(bob)).id, 12));
    }
    const client = await clientAt(ann, 'gateway-2');
    const refused = new Set<string>();
    const wasSending = new Set<string>();
    client.on('outgoing', ({ outgoing: { messageId }, state }) => {
      if (state === 'sending') wasSending.add(messageId);
      if (state === 'waiting' && wasSending.has(messageId)) refused.add(messageId);
    });
    const before = (await ann.history(id)).map(({ messageId }) => messageId);
    const outgoing: { messageId: string; settled: () => Promise<{ state: string }> }[] = [];
    const end = performance.now() + FULL_MS;
    while (refused.size === 0 && performance.now() < end) {
      outgoing.push(client.send({ conversationId: id, text: `text ${outgoing.length}` }));
      await pause(100);
    }
    expect(refused.size).toBeGreaterThan(0);
    const put = (await crowd[0]!.direct(ann)).id;
    const answer = await eventually(async () => {
      const path = `/v1/conversations/${put}/messages/${uuidv7()}`;
      const base = stack.gatewayUrls[1]!;
      const content = { kind: 'text', text: 'by HTTP' };
      const found = await crowd[0]!.http('PUT', path, { content }, { base });
      expect(found.status).toBe(503);
      return found;
    }, FULL_MS);
    expect(answer.body).toMatchObject({ code: 'busy', retryable: true });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    for (const flood of floods) flood.end();
    const busy = floods.flatMap((flood) => flood.busy);
    for (const frame of busy) expect(frame).toMatchObject({ code: 'busy', retryable: true });
    const times = busy.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
    expect(Math.min(...(times as number[]))).toBeGreaterThanOrEqual(RETRY_MS);
    expect(Math.max(...(times as number[]))).toBeLessThanOrEqual(3 * RETRY_MS);
    // all lanes came first, in their order
    for (const socket of crowded) {
      expect(lanesTold(socket).slice(0, ORDER.length)).toEqual(ORDER);
      const firstBusy = socket.frames.findIndex(({ type }) => type === 'error');
      const full = socket.frames.indexOf(socket.of('shed')[ORDER.length - 1]!);
      if (firstBusy >= 0) expect(firstBusy).toBeGreaterThan(full);
    }
    const outcomes = await Promise.all(outgoing.map((one) => one.settled()));
    expect(outcomes.map(({ state }) => state)).toEqual(outgoing.map(() => 'sent'));
    await eventually(async () => {
      const after = (await ann.history(id)).map(({ messageId }) => messageId);
      expect(after.slice(before.length)).toEqual(outgoing.map(({ messageId }) => messageId));
    }, BACK_MS);
    await eventually(() => expect(lanesTold(crowded[0]!).at(-1)).toEqual([]), BACK_MS);
  }, 300_000);
});
