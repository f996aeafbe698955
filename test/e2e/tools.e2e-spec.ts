import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafka } from '@tidings/common/kafka/wire/client';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import { EVENT_TYPES } from '@tidings/common/log-events/events';
import { deadLetterTopic, GROUPS, TOPICS } from '@tidings/common/log-events/topics';
import { uuidv7 } from 'uuidv7';
import { registeredMetrics } from '../../tools/metrics/registered';
import { projectRoot } from '../../tools/stack/paths';
import { isFree } from '../../tools/stack/ports';
import { type Servers, startServers } from '../../tools/stack/servers';
import { ChatUser, textSend } from '../support/chat-user';
import { CliProcess } from '../support/cli-process';
import { eventually } from '../support/eventually';
import { isRunning } from '../support/process-tree';
import { commandsOf, kindsOf } from '../support/page-commands';
import { append, setAside } from '../support/poison';
import { Program } from '../support/program';
import { answerTo, pushOf } from '../support/sends';
import { portRow, StartedStack, type StartOptions } from '../support/started-stack';
import type { TestSocket } from '../support/test-socket';

const TEST_MS = 300_000;
/** For a program that starts a JVM on a loaded machine. */
const JVM_MS = 120_000;

describe('the programs behind the npm scripts', () => {
  let base: string;
  let place: StartOptions;
  let starter: StartedStack;
  let servers: Servers | undefined;
  let ann: ChatUser;
  let bob: ChatUser;
  let conversationId: string;
  /** What the two have said, in order. */
  const said: string[] = [];

  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), 'tidings-tools-'));
    const gatewayPort = await portRow(5);
    place = { dir: join(base, 'data'), gatewayPort, adminPort: gatewayPort + 2 };
    starter = new StartedStack(place);
    await starter.runs();
  }, TEST_MS);
  afterAll(async () => {
    await starter?.end('SIGTERM');
    await servers?.stop();
    rmSync(base, { recursive: true, force: true });
  }, TEST_MS);

  const url = (offset: number) => `http://127.0.0.1:${place.gatewayPort + offset}`;

  /** Runs a tool as one does beside the running stack. */
  const tool = (file: string, ...args: string[]) =>
    new Program(join('tools', file), {
      args,
      env: { TIDINGS_DATA_DIR: place.dir, KAFKA_BROKERS: undefined },
    });

  /** Says something on one socket; resolves when it is in the log. */
  async function say(socket: Parameters<typeof answerTo>[0], text: string): Promise<void> {
    const answer = await answerTo(socket, textSend({ conversationId }, text));
    expect(answer).toMatchObject({ type: 'sent' });
    said.push(text);
  }

  /** The history is what was said, through every gateway that runs. */
  async function expectHistory(): Promise<void> {
    for (const gateway of starter.file.gateways) {
      const user = new ChatUser([gateway], ann.username);
      await user.login();
      const texts = async () =>
        (await user.history(conversationId)).flatMap(({ content }) =>
          content.kind === 'text' ? [content.text] : [],
        );
      await eventually(async () => expect(await texts()).toEqual(said), 60_000);
    }
  }

  /** Ends the stack by a signal: with status 0, and nothing of it is left. */
  async function endBy(signal: NodeJS.Signals): Promise<void> {
    const processes = starter.processes();
    const ports = starter.ports();
    expect(processes.length).toBeGreaterThan(starter.file.nodes.length);
    expect(await Promise.all(ports.map(isFree))).not.toContain(true);
    expect(await starter.end(signal)).toBe(0);
    expect(starter.lines.slice(-2)).toEqual([`Stopping (${signal}) …`, 'Stopped.']);
    // the last to go is the shell that watches over the others
    await eventually(() => expect(processes.filter(isRunning)).toEqual([]));
    expect(await Promise.all(ports.map(isFree))).not.toContain(false);
    const left = readdirSync(place.dir);
    expect(left.filter((name) => ['lock', 'stack.json'].includes(name))).toEqual([]);
  }

  it('start: says where everything is and what to try', async () => {
    const { file, lines } = starter;
    expect(file.gateways).toEqual([url(0), url(1)]);
    expect(file.nodes.map(({ url }) => Number(new URL(url).port) - place.gatewayPort)).toEqual([
      0, 1, 2, 3, 4,
    ]);
    for (const { id, url, pid } of file.nodes) {
      expect(lines).toContain(`  ${id.padEnd(15)} ${url}  pid ${pid}`);
    }
    const { kafka, redis, postgres } = file.servers;
    for (const [pid, row] of [
      [kafka, /^ {2}Kafka 4\.\d+\.\d+ +127\.0\.0\.1:\d+ {2}pid (\d+)$/],
      [redis, /^ {2}Redis 6\.2\.\d+ +redis:\S+ {2}pid (\d+)$/],
      [postgres, /^ {2}PostgreSQL 18\.\d+ +postgres:\S+ {2}pid (\d+)$/],
    ] as const) {
      expect(lines.flatMap((line) => row.exec(line)?.[1] ?? [])).toEqual([String(pid)]);
    }
    const { password } = new URL(file.databaseUrl);
    expect(password).not.toBe('');
    expect(lines.join('\n')).not.toContain(password);
    const { scripts } = JSON.parse(readFileSync(join(projectRoot(), 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const commands = lines.flatMap((line) => /^ {2}npm run (\S+)/.exec(line)?.[1] ?? []);
    expect(new Set(commands)).toEqual(new Set(['chat', 'demo', 'kafka']));
    for (const command of commands) expect(scripts).toHaveProperty(command);
    const [address] = lines.flatMap((line) => /^ {2}curl (\S+)$/.exec(line)?.[1] ?? []);
    expect((await fetch(address!)).status).toBe(200);
  });

  it(
    'chat: finds the stack that runs, and two people talk through its two gateways',
    async () => {
      bob = await ChatUser.create(starter.file.gateways);
      const user = `ann${process.pid}x${Date.now() % 1e6}`;
      const cli = await CliProcess.register({
        servers: [],
        user,
        home: join(base, 'home'),
        args: ['--to', bob.username],
        env: { TIDINGS_DATA_DIR: place.dir },
      });
      try {
        cli.type('/status');
        const behind = await cli.shows(/^Connection: online, by gateway-[12]$/);
        const here = cli.lines[behind - 1]!.endsWith('1') ? 'gateway-1' : 'gateway-2';
        const socket = await bob.connect(here === 'gateway-1' ? 'gateway-2' : 'gateway-1');
        cli.type('hello bob');
        await cli.shows(/^\d\d:\d\d {2}you ✓ {2}hello bob$/);
        const heard = await socket.next('message');
        expect(heard).toMatchObject({ content: { kind: 'text', text: 'hello bob' } });
        conversationId = heard['conversationId'] as string;
        said.push('hello bob');
        await say(socket, 'hello ann');
        await cli.shows(new RegExp(`^\\d\\d:\\d\\d {2}${bob.username} {2}hello ann$`));
        await socket.end();
        expect(await cli.quit()).toBe(0);
      } finally {
        await cli.kill();
      }
      ann = new ChatUser(starter.file.gateways, user);
      await expectHistory();
    },
    TEST_MS,
  );

  it(
    'start and reset: say in a sentence why not, and disturb nobody',
    async () => {
      const again = new StartedStack(place);
      expect(await again.ended).toBe(1);
      expect(again.errors).toMatch(
        new RegExp(
          `^A stack of this checkout runs already \\(process ${starter.pid}\\)[^\\n]*\\n$`,
        ),
      );
      const elsewhere = new StartedStack({ ...place, dir: join(base, 'elsewhere') });
      expect(await elsewhere.ended).toBe(1);
      const taken = starter.file.nodes.map(({ id, url }) => `${new URL(url).port} (${id})`);
      expect(elsewhere.errors).toContain(`Ports ${taken.join(', ')} are taken by other programs`);
      const [, data, gatewayPort, adminPort] =
        /^ {2}TIDINGS_DATA_DIR=(\S+) GATEWAY_PORT=(\d+) ADMIN_PORT_BASE=(\d+) npm start$/m.exec(
          elsewhere.errors,
        )!;
      expect(data).toBe(join(base, 'elsewhere'));
      for (const port of [gatewayPort, adminPort]) expect(await isFree(Number(port))).toBe(true);
      const reset = tool('stack/reset.js');
      expect(await reset.ended).toBe(1);
      expect(reset.errors).toMatch(/^The stack runs \(process \d+\): stop it first[^\n]*\n$/);
      expect(starter.file.pid).toBe(starter.pid);
      await expectHistory();
    },
    TEST_MS,
  );

  it(
    'demo: both ends and the history hold the same lines, though a gateway was killed',
    async () => {
      const before = starter.file.nodes;
      const demo = tool('demo/main.js', '--pace', '2');
      const status = await demo.ended;
      expect({ status, errors: demo.errors, lines: demo.lines }).toMatchObject({ status: 0 });
      const [, typed] = / {2}typed +(\d+)$/m.exec(demo.lines.join('\n'))!;
      expect(Number(typed)).toBeGreaterThan(200);
      for (const where of ["at Algernon's end", "at Jack's end", 'in the history']) {
        const line = `  ${where.padEnd(18)} ${typed}  the same lines in the same order`;
        expect(demo.lines).toContain(line);
      }
      expect(demo.lines.at(-1)).toMatch(/^OK: nothing was lost/);
      const [victim] = demo.all(/^ {2}line \d+: (gateway-\d) killed \(SIGKILL, process \d+\)$/);
      await starter.shows(new RegExp(`^ {2}${victim} ended unexpectedly \\(SIGKILL\\)`));
      await starter.shows(new RegExp(`^ {2}${victim} is back {2}pid \\d+$`));
      const [, said] = new RegExp(`^ {2}${victim} is back {2}pid (\\d+)$`, 'm').exec(
        starter.lines.join('\n'),
      )!;
      const changed = await eventually(() => {
        const nodes = starter.file.nodes.filter(({ pid }, i) => pid !== before[i]!.pid);
        expect(nodes).toHaveLength(1);
        return nodes[0]!;
      });
      expect(changed).toMatchObject({ id: victim, pid: Number(said) });
      expect(isRunning(changed.pid)).toBe(true);
    },
    TEST_MS,
  );

  /** What `kafka groups` says of a group. */
  interface Shown {
    lag: number;
    /** Whether it has a member. */
    owned: boolean;
  }

  async function groups(): Promise<Map<string, Shown>> {
    const program = tool('stack/kafka.js', 'groups');
    expect({ status: await program.ended, errors: program.errors }).toMatchObject({ status: 0 });
    const [head, ...rows] = program.lines.map((line) => line.split(/\s+/));
    expect(head).toEqual(['GROUP', 'STATE', 'MEMBERS', 'LAG', 'SECONDS', 'TOPICS']);
    return new Map(
      rows
        .filter(([, , , , , topics]) => topics?.startsWith('chat.'))
        .map(([group = '', , members, lag]) => [
          group,
          // nothing is committed of typing
          { lag: lag === '-' ? 0 : Number(lag), owned: Number(members) > 0 },
        ]),
    );
  }

  it(
    'kafka groups: the lag of storage grows while it is stopped, and is gone afterwards',
    async () => {
      const socket = await bob.connect();
      const { pid } = starter.file.nodes.find(({ service }) => service === 'storage')!;
      process.kill(pid, 'SIGSTOP');
      try {
        for (const n of [1, 2, 3]) await say(socket, `storage is away ${n}`);
        // until the group has given it up, so that it begins anew afterwards
        await eventually(async () => {
          const stopped = await groups();
          expect([...stopped.keys()].sort()).toEqual(Object.values(GROUPS).sort());
          expect(stopped.get(GROUPS.storageWriter)).toEqual({ lag: 3, owned: false });
          expect(stopped.get(GROUPS.sessionRouting)).toEqual({ lag: 0, owned: true });
        }, JVM_MS);
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await eventually(async () => {
        const idle = Object.values(GROUPS).map((group) => [group, { lag: 0, owned: true }]);
        expect(Object.fromEntries(await groups())).toEqual(Object.fromEntries(idle));
      }, JVM_MS);
      await socket.end();
      await expectHistory();
      // each service tells of its own groups, the leader of storage of all
      for (const [service, own] of [
        ['session', Object.values(GROUPS).filter((group) => group.startsWith('session-'))],
        ['presence', [GROUPS.presenceTracker]],
        ['storage', Object.values(GROUPS)],
      ] as const) {
        const { url } = starter.file.nodes.find((node) => node.service === service)!;
        await eventually(async () => {
          const page = await (await fetch(`${url}/metrics`)).text();
          const found = page.matchAll(/^tidings_group_lag_records\{group="([^"]+)".*\} 0$/gm);
          expect([...found].map(([, group]) => group).sort()).toEqual([...own].sort());
        }, JVM_MS);
      }
    },
    TEST_MS,
  );

  it('each service tells the metrics of docs/METRICS.md, no more and no less', async () => {
    // where a gateway takes the spools of others
    const ofSpoolRoot = /^tidings_(?:spools_|spool_adopt)/;
    for (const [service, metrics] of registeredMetrics()) {
      const { url } = starter.file.nodes.find((node) => node.service === service)!;
      const page = await (await fetch(`${url}/metrics`)).text();
      const told = [...page.matchAll(/^# HELP (tidings_\w+) (.*)\n# TYPE \1 (\w+)$/gm)];
      expect({ service, told: told.map(([, ...one]) => one).sort() }).toEqual({
        service,
        told: metrics
          .filter(({ name }) => !ofSpoolRoot.test(name))
          .map(({ name, help, type }) => [name, help, type])
          .sort(),
      });
    }
  });

  it(
    'kafka tail: shows readable records, from the beginning and as they come',
    async () => {
      const record = (text: string) =>
        new RegExp(`^\\d+@\\d+ {2}20\\S+Z {2}${conversationId} {2}\\S+ {2}\\{.*"${text}"`);
      const tail = tool('stack/kafka.js', 'tail', TOPICS.messages, '--from-beginning');
      try {
        for (const text of said) await tail.shows(record(text), 0, JVM_MS);
        const socket = await bob.connect();
        await say(socket, 'while somebody looks');
        await tail.shows(record('while somebody looks'));
        await socket.end();
        expect(await tail.end('SIGINT')).toBe(130);
      } finally {
        await tail.kill();
      }
    },
    TEST_MS,
  );

  it(
    'kafka: all partitions with --all; a topic that does not exist is an answer, not a wait',
    async () => {
      const all = tool('stack/kafka.js', 'groups', '--all');
      expect({ status: await all.ended, errors: all.errors }).toMatchObject({ status: 0 });
      expect(all.lines.join('\n')).toMatch(/GROUP +TOPIC +PARTITION +CURRENT-OFFSET/);
      const nowhere = tool('stack/kafka.js', 'tail', 'nosuch');
      expect(await nowhere.ended).toBe(1);
      expect(nowhere.errors).toMatch(/^There is no topic "nosuch"\. Topics:\n/);
      expect(nowhere.errors.split('\n')).toContain(`  ${TOPICS.messages}`);
    },
    TEST_MS,
  );

  /** Runs a tool to its end. */
  async function ran(file: string, ...args: string[]) {
    const program = tool(file, ...args);
    const status = await program.ended;
    return { status, lines: program.lines, errors: program.errors };
  }

  const dlq = (...args: string[]) => ran('dlq/main.js', ...args);
  const kafkaOf = () =>
    createKafka({ brokers: starter.file.brokers.split(','), clientId: 'poisoner' });

  /** A message that is logged where its conversation is not: nobody can use it. */
  async function poison(text: string): Promise<{ id: string; messageId: string }> {
    if (ann.id === '') await ann.login();
    const messageId = uuidv7();
    const value = {
      conversationId,
      messageId,
      senderId: ann.id,
      deviceId: ann.deviceId,
      sentAt: new Date().toISOString(),
      content: { kind: 'text', text },
      contentHash: 'B'.repeat(22),
    };
    const key = conversationId;
    const record = { topic: TOPICS.messages, key, type: EVENT_TYPES.messageSent, id: messageId };
    const wrong = (partitionOf(key, 8) + 1) % 8;
    return { id: await append(kafkaOf(), { ...record, value }, wrong), messageId };
  }

  /** What the leader of storage says of open dead letters, by group. */
  async function alerts(): Promise<Record<string, number>> {
    const { url } = starter.file.nodes.find(({ service }) => service === 'storage')!;
    const page = await (await fetch(`${url}/metrics`)).text();
    const found = page.matchAll(/^tidings_dead_letters_open\{topic="([^"]+)\.dlq".*\} (\d+)$/gm);
    return Object.fromEntries([...found].map(([, topic, open]) => [topic, Number(open)]));
  }

  const none = {
    'chat.messages.v1.storage-writer': 0,
    'chat.messages.v1.session-routing': 0,
    'chat.receipts.v1.storage-receipts': 0,
    'chat.receipts.v1.session-receipts': 0,
    'chat.presence.v1.presence-tracker': 0,
  };

  /** Two devices of each. */
  async function everyDevice(): Promise<{
    all: TestSocket[];
    own: TestSocket[];
    end(): Promise<unknown>;
  }> {
    await Promise.all([ann.login(), bob.login()]);
    const users = [ann, await ann.onNewDevice(), bob, await bob.onNewDevice()];
    const all = await Promise.all(users.map((user) => user.connect()));
    return { all, own: all.slice(0, 2), end: () => Promise.all(all.map((one) => one.end())) };
  }

  it(
    'dlq: a message that nobody could use is seen, an alert, and comes to every device, once',
    async () => {
      const devices = await everyDevice();
      const began = Date.now();
      const { id, messageId } = await poison('was set aside');
      const groups = [GROUPS.sessionRouting, GROUPS.storageWriter].sort();
      const row = await eventually(async () => {
        const { status, lines } = await dlq('list');
        expect(status).toBe(0);
        const found = lines.map((line) => line.split(/ {2,}/)).find(([first]) => first === id);
        expect(found?.[3]?.split(',').sort()).toEqual(groups);
        return found!;
      }, JVM_MS);
      expect(Date.parse(row[1]!) - began).toBeLessThan(60_000);
      expect(row.slice(4)).toEqual([
        conversationId,
        EVENT_TYPES.messageSent,
        expect.stringMatching(/^\d+$/),
        'in the wrong partition',
      ]);
      const alert = {
        [`${TOPICS.messages}.${groups[0]}`]: 1,
        [`${TOPICS.messages}.${groups[1]}`]: 1,
      };
      await eventually(async () => expect(await alerts()).toEqual({ ...none, ...alert }), 30_000);
      const { logPath } = starter.file.nodes.find(({ service }) => service === 'storage')!;
      expect(readFileSync(logPath, 'utf8')).toContain(
        'records are set aside: what they say is missing',
      );
      const trace = () =>
        ann.http<Record<string, unknown>>(
          'GET',
          `/v1/conversations/${conversationId}/messages/${messageId}/trace`,
        );
      const missing = { stored: null, routed: null, setAside: expect.any(String), recipients: 0 };
      expect(await trace()).toMatchObject({ status: 200, body: missing });
      expect((await dlq('show', id)).lines.join('\n')).toContain('this version can read it');

      const replayed = await dlq('replay', id);
      expect({ ...replayed, lines: replayed.lines.join('\n') }).toMatchObject({
        status: 0,
        lines: expect.stringMatching(
          /^\S+ → chat\.messages\.v1\/\d+\/\d+, read by session-routing, storage-writer$/,
        ),
      });
      said.push('was set aside');
      const pushes = await Promise.all(devices.all.map((one) => pushOf(one, messageId)));
      expect(new Set(pushes.map(({ position }) => position)).size).toBe(1);
      await expectHistory();
      const again = await dlq('replay', id);
      expect([again.status, again.lines[0]]).toEqual([
        0,
        expect.stringContaining('was replayed to'),
      ]);
      expect((await dlq('list')).lines).toEqual(['There are no open dead letters.']);
      await eventually(async () => expect(await alerts()).toEqual(none), 30_000);
      const position = pushes[0]!['position'];
      expect(await trace()).toMatchObject({ status: 200, body: { setAside: null, position } });
      const socket = devices.all[3]!;
      await say(socket, 'and behind it');
      for (const one of devices.all.slice(0, 3)) {
        await one.find((f) => f.type === 'message' && f['previous'] === position);
        expect(one.of('message').filter((f) => f['messageId'] === messageId)).toHaveLength(1);
      }
      await devices.end();
      await expectHistory();
    },
    TEST_MS,
  );

  it(
    'dlq: receipts and presence, too; what cannot be read is not replayed, but dropped with a reason',
    async () => {
      const kafka = kafkaOf();
      const eve = await ChatUser.create(starter.file.gateways);
      const devices = await everyDevice();
      for (const one of devices.own) {
        one.send({ type: 'watch', userIds: [eve.id] });
        await one.find((f) => f.type === 'presence' && f['userId'] === eve.id);
      }
      const bad = [
        { topic: TOPICS.receipts, key: conversationId, type: 'tidings.receipt.v9' },
        { topic: TOPICS.presence, key: eve.id, type: 'tidings.activity.v9' },
      ];
      const ids: string[] = [];
      for (const one of bad) ids.push(await append(kafka, { ...one, id: uuidv7(), value: '{' }));
      await eventually(async () => {
        const { lines } = await dlq('list');
        for (const id of ids) expect(lines.join('\n')).toContain(`${id} `);
      }, JVM_MS);
      const refused = await dlq('replay', '--all');
      expect(refused.status).toBe(1);
      expect(refused.lines.map((line) => line.split(':')[0]).sort()).toEqual(
        ids.map((id) => `${id} cannot be read by this version`).sort(),
      );
      expect((await dlq('drop', ...ids)).status).toBe(1);
      expect((await dlq('drop', ...ids, '--reason', 'made by a test')).status).toBe(0);
      expect((await dlq('list')).lines).toEqual(['There are no open dead letters.']);
      expect((await dlq('list', '--all')).lines.join('\n')).toMatch(/ dropped +.*activity\.v9/);

      // what a version of a service set aside that could not read it yet
      const { position } = (await ann.history(conversationId)).at(-1)!;
      const at = new Date().toISOString();
      const mark = { conversationId, userId: bob.id, deviceId: bob.deviceId, read: position, at };
      const receipt = {
        topic: TOPICS.receipts,
        key: conversationId,
        type: EVENT_TYPES.receipt,
        value: mark,
      };
      const connection = {
        userId: eve.id,
        deviceId: eve.deviceId,
        connectionId: '1',
        gatewayId: 'gateway-1',
        bootId: 'an-earlier-one',
        generation: '1',
        at,
      };
      const opened = {
        topic: TOPICS.presence,
        key: eve.id,
        type: EVENT_TYPES.connectionOpened,
        value: connection,
      };
      const place = { partition: 0, offset: 1_000_000 };
      const letters = [
        await setAside(kafka, GROUPS.storageReceipts, { ...receipt, id: uuidv7() }, place),
        await setAside(kafka, GROUPS.presenceTracker, { ...opened, id: uuidv7() }, place),
      ];
      const topics = [
        deadLetterTopic(TOPICS.receipts, GROUPS.storageReceipts),
        deadLetterTopic(TOPICS.presence, GROUPS.presenceTracker),
      ];
      const alert = topics.map((topic) => [topic.replace(/\.dlq$/, ''), 1]);
      await eventually(
        async () => expect(await alerts()).toEqual({ ...none, ...Object.fromEntries(alert) }),
        30_000,
      );
      const before = devices.own.map((one) => one.frames.length);
      const replayed = await dlq('replay', ...letters);
      expect(replayed).toMatchObject({ status: 0, errors: '' });
      for (const [i, one] of devices.own.entries()) {
        const later = (f: object) => one.frames.indexOf(f as never) >= before[i]!;
        await one.find(
          (f) => f.type === 'receipt' && f['userId'] === bob.id && f['read'] === position,
        );
        await one.find(
          (f) =>
            f.type === 'presence' &&
            later(f) &&
            f['userId'] === eve.id &&
            f['status'] !== 'offline',
        );
      }
      await eventually(async () => expect(await alerts()).toEqual(none), 30_000);
      await devices.end();
    },
    TEST_MS,
  );

  it(
    'kafka tail: one conversation, from a time on; lag and topics in lines; verify says what differs',
    async () => {
      const one = await ran(
        'stack/kafka.js',
        'tail',
        TOPICS.messages,
        '--key',
        conversationId,
        '--from-time',
        '1d',
        '--max',
        '2',
      );
      expect(one.status).toBe(0);
      expect(one.lines.map((line) => line.split(/ {2}/)[2])).toEqual([
        conversationId,
        conversationId,
      ]);
      const times = one.lines.map((line) => line.split(/ {2}/)[1]!);
      expect([...times].sort()).toEqual(times);
      const late = tool(
        'stack/kafka.js',
        'tail',
        TOPICS.messages,
        '--from-time',
        new Date().toISOString(),
      );
      try {
        const socket = await bob.connect();
        await say(socket, 'from now on');
        await socket.end();
        await late.shows(/"from now on"/);
        expect(late.lines).toHaveLength(1);
      } finally {
        await late.kill();
      }
      const lag = await ran('stack/kafka.js', 'lag', GROUPS.storageWriter);
      expect(lag.lines[0]!.split(/ {2,}/)).toEqual([
        'PARTITION',
        'COMMITTED',
        'END',
        'RECORDS',
        'SECONDS',
        'LOST',
      ]);
      expect(lag.lines).toHaveLength(9);
      const topics = await ran('stack/kafka.js', 'topics');
      expect(topics.lines).toHaveLength(11);
      const verified = await ran('stack/kafka.js', 'verify');
      expect(verified).toMatchObject({
        status: 0,
        lines: [expect.stringMatching(/^All 10 topics/)],
      });
      const other = new Program('tools/stack/kafka.js', {
        args: ['verify'],
        env: { KAFKA_BROKERS: starter.file.brokers, KAFKA_REPLICATION: '3', KAFKA_MIN_INSYNC: '2' },
      });
      expect(await other.ended).toBe(1);
      expect(other.lines.at(-1)).toMatch(/^10 of 10 topics differ/);
      expect(other.lines[1]!.split(/ {2,}/)).toEqual([TOPICS.messages, 'replication', '3', '1']);
    },
    TEST_MS,
  );

  it(
    'docs/KAFKA.md: its commands run, and print what the page shows',
    async () => {
      const page = readFileSync(join(projectRoot(), 'docs/KAFKA.md'), 'utf8');
      const commands = commandsOf(page);
      expect(commands.length).toBeGreaterThan(7);
      const { id } = await poison('of the page');
      await eventually(async () => {
        const { lines } = await dlq('list');
        expect(lines.join('\n')).toMatch(new RegExp(`^${id} .*,`, 'm'));
      }, JVM_MS);
      for (const { script, args, printed } of commands) {
        const given = args.map((arg) =>
          arg.replace('$CONVERSATION', conversationId).replace('$ID', id),
        );
        const file = { kafka: 'stack/kafka.js', dlq: 'dlq/main.js' }[script];
        const { lines, errors } = await ran(file!, ...given);
        expect({ args, errors }).toEqual({ args, errors: '' });
        const kinds = kindsOf(lines);
        expect({ args, missing: kindsOf(printed).filter((kind) => !kinds.includes(kind)) }).toEqual(
          {
            args,
            missing: [],
          },
        );
      }
      said.push('of the page');
      await expectHistory();
    },
    TEST_MS,
  );

  it('start: SIGTERM ends all of it', () => endBy('SIGTERM'), TEST_MS);

  it(
    'start: a second time in the same place has what was said; SIGINT ends it, too',
    async () => {
      starter = new StartedStack(place);
      await starter.runs();
      expect(starter.file.gateways).toEqual([url(0), url(1)]);
      await expectHistory();
      const socket = await bob.connect('gateway-2');
      await say(socket, 'here we are again');
      await socket.end();
      await expectHistory();
      await endBy('SIGINT');
    },
    TEST_MS,
  );

  it(
    'start: uses the servers of the environment, and leaves them running when its launcher ends',
    async () => {
      servers = await startServers({ dir: place.dir });
      const dir = join(base, 'services');
      mkdirSync(dir);
      const given = {
        KAFKA_BROKERS: servers.brokers,
        REDIS_URL: servers.redisUrl,
        DATABASE_URL: servers.databaseUrl,
      };
      starter = new StartedStack({ ...place, dir, args: ['--gateways', '1'], env: given });
      await starter.runs();
      expect(starter.file).toMatchObject({
        brokers: servers.brokers,
        redisUrl: servers.redisUrl,
        databaseUrl: servers.databaseUrl,
        servers: {},
        gateways: [url(0)],
      });
      expect(starter.lines).toContain(`  Kafka           ${servers.brokers}`);
      await expectHistory();
      starter.letGo();
      expect(await starter.ended).toBe(0);
      expect(starter.lines).toContain('Stopping (the launcher ended) …');
      for (const name of ['kafka', 'redis', 'postgres']) {
        expect(existsSync(join(dir, name))).toBe(false);
      }
      const { kafka, redis, postgres } = servers;
      for (const server of [kafka, redis, postgres]) expect(server.isAlive()).toBe(true);
    },
    TEST_MS,
  );

  it('reset: asks, and removes all of it when told so', async () => {
    await servers?.stop();
    const asks = tool('stack/reset.js');
    expect(await asks.ended).toBe(1);
    expect(asks.errors).toMatch(
      /^This removes all accounts, messages, files [^\n]* say npm run reset -- --yes\.\n$/,
    );
    expect(readdirSync(place.dir)).toContain('kafka');
    expect(await tool('stack/reset.js', '--yes').ended).toBe(0);
    expect(readdirSync(place.dir)).toEqual([]);
  });
});
