import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultGateways } from '../../apps/gateway/src/rates/shared-addresses';
import { FaultHistory } from '../fault/fault-history';
import { holdsTogether, pageIn } from '../fault/holds-together';
import { Workload } from '../fault/workload';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { openSocket } from '../support/test-socket';
import { say } from '../support/talk';
import { ComposeStack, docker, type Container } from './compose-stack';

/** The stack of `docker-compose.yml`, unchanged, with its public images. It needs Docker with Compose 2. */
const CONVERSATIONS = 10;
const PER_SECOND = Number(process.env['COMPOSE_RATE'] ?? 100);
/** After each change of the stack messages are sent for so long. */
const SETTLE_MS = 10_000;
const STEP_MS = 600_000;

describe('docker compose', () => {
  let stack: ComposeStack;
  let folder: string;
  let history: FaultHistory;
  let workload: Workload;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidings-compose-run-'));
    stack = await ComposeStack.prepare();
    const began = performance.now();
    await stack.compose(['build'], STEP_MS * 2);
    const built = performance.now();
    await stack.up();
    const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
    console.log(`built in ${seconds(built - began)}, up in ${seconds(performance.now() - built)}`);
  }, STEP_MS * 3);
  afterAll(async () => {
    await workload?.stop();
    history?.close();
    await stack?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, STEP_MS);

  const user = () => ChatUser.create([stack.url]);
  /** How a request to the balancer is answered. */
  const status = async (path: string): Promise<number> =>
    (await fetch(stack.url + path, { signal: AbortSignal.timeout(10_000) })).status;
  const gateways = () => stack.containers('gateway');
  const idOf = ({ hostname }: Container): string => `gateway-${hostname}`;

  it('says what its file says, and is a valid one', async () => {
    expect(await stack.compose(['config', '--quiet'])).toBe('');
  });

  it('lets two people chat through two gateways, each reached by its own address', async () => {
    const [ann, bob] = [await user(), await user()];
    const [first, second] = (await gateways()).map(idOf);
    const { id } = await ann.direct(bob);
    const a = await ann.connect(first);
    const b = await bob.connect(second);
    expect((await say(a, id, 'hello over there')).type).toBe('sent');
    await b.find((frame) => frame.type === 'message');
    await a.end();
    await b.end();
  });

  it('reaches nothing but gateways by /g/', async () => {
    const ready = (await gateways())[0]!;
    expect(await status(`/g/${idOf(ready)}/v1`)).toBe(200);
    // what a gateway has on its other listener is not reached either
    expect(await status(`/g/${idOf(ready)}/metrics`)).toBe(404);
    expect(await status(`/g/${idOf(ready)}/v1/admin/roles`)).toBe(404);
    for (const service of ['kafka', 'redis', 'postgres', 'storage', 'session', 'presence']) {
      const [{ hostname } = { hostname: '' }] = await stack.containers(service);
      expect([service, await status(`/g/gateway-${hostname}/v1`)]).toEqual([service, 404]);
      expect(await status(`/g/${hostname}/v1`)).toBe(404);
      expect(await status(`/g/${service}/v1`)).toBe(404);
    }
    const [balancer] = await stack.containers('balancer');
    for (const path of [
      `/g/gateway-${balancer!.hostname}/v1`,
      '/g/gateway-0123456789ab/v1',
      '/g/',
      '/g/gateway-127.0.0.1/v1',
      `/g/${idOf(ready)}x/v1`,
      `/g/..%2f${idOf(ready)}/v1`,
    ]) {
      expect([path, await status(path)]).toEqual([path, 404]);
    }
  });

  it('takes nobody for the client that their request names: they come from the engine, and share it', async () => {
    const forged = '203.0.113.9';
    const wrong = await fetch(`${stack.url}/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': forged },
      body: JSON.stringify({ username: 'nobody', password: 'a wrong guess 4711' }),
    });
    expect(wrong.status).toBe(401);
    const seen = await eventually(async () => {
      const logs = await stack.compose([
        'logs',
        '--no-log-prefix',
        '--tail',
        '20',
        'gateway',
        'storage',
      ]);
      const line = logs.split('\n').find((one) => one.includes('"event":"login_failed"'))!;
      return (JSON.parse(line.slice(line.indexOf('{'))) as { address: string }).address;
    });
    expect(seen).not.toBe(forged);
    // many stand behind this address: it is the one that SHARED_ADDRESSES means in a gateway
    const [gateway] = await gateways();
    const routes = await docker(['exec', gateway!.id, 'cat', '/proc/net/route']);
    expect(defaultGateways(routes)).toEqual([seen]);
  });

  it('keeps its root closed, and ends what runs as nobody special', async () => {
    const [gateway] = await gateways();
    const words = ['exec', gateway!.id, 'bash', '-c'];
    await expect(docker([...words, 'echo x > /app/x'])).rejects.toThrow('Read-only');
    expect((await docker([...words, 'id -u'])).trim()).not.toBe('0');
  });

  describe('while people chat', () => {
    beforeAll(async () => {
      history = new FaultHistory(join(folder, 'history.jsonl'));
      workload = new Workload([stack.url], history);
      await workload.prepare(CONVERSATIONS);
    }, STEP_MS);

    const during = async (what: string, change: () => Promise<unknown>): Promise<void> => {
      const sends = workload.sends;
      await workload.runDuring(PER_SECOND, async () => {
        await change();
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      });
      await workload.settle(120_000);
      console.log(`${what}: ${workload.sends - sends} messages`);
    };
    /** How many devices each gateway has. */
    const spread = (): Map<string | null, number> => {
      const counts = new Map<string | null, number>();
      for (const { gatewayId } of workload.devices) {
        counts.set(gatewayId, (counts.get(gatewayId) ?? 0) + 1);
      }
      return counts;
    };

    it.each(['gateway', 'session', 'storage', 'presence'])(
      'a %s is killed inside its container, and Docker starts it again',
      async (service) => {
        const [one] = await stack.containers(service);
        await during(`kill -9 of ${service}`, async () => {
          await stack.crash(one!);
          await eventually(
            async () => {
              const format = '{{.RestartCount}} {{.State.Health.Status}}';
              const state = await docker(['inspect', '--format', format, one!.id]);
              expect(state.trim()).toMatch(/^[1-9]\d* healthy$/);
            },
            120_000,
            500,
          );
        });
      },
      STEP_MS,
    );

    it(
      'gateways grow to three: the new one has its share of new connections at once',
      async () => {
        const before = (await gateways()).map(idOf);
        await during('two gateways become three', () => stack.scale({ gateway: 3 }));
        const added = (await gateways()).map(idOf).filter((id) => !before.includes(id));
        expect(added).toHaveLength(1);
        const counts = new Map<string, number>();
        const came = await Promise.all(Array.from({ length: 20 }, () => user()));
        const sockets = await Promise.all(
          came.map(async (one) => {
            const { url, ticket } = await one.ticket();
            const [, id = ''] = /\/g\/([^/]+)\//.exec(url) ?? [];
            counts.set(id, (counts.get(id) ?? 0) + 1);
            return openSocket(url, ticket);
          }),
        );
        console.log('new connections', Object.fromEntries(counts));
        expect(counts.get(added[0]!)).toBeGreaterThanOrEqual(4);
        await Promise.all(sockets.map((socket) => socket.end()));
      },
      STEP_MS,
    );

    it(
      'gateways shrink to one, which has everybody and what the others held',
      async () => {
        await during('three gateways become one', () => stack.scale({ gateway: 1 }));
        const [last] = (await gateways()).map(idOf);
        await eventually(() => expect([...spread().keys()]).toEqual([last]), 60_000);
        // what gateways hold lies beside their locks; empty folders stay for some minutes
        await eventually(
          async () => {
            const [{ id }] = (await gateways()) as [Container];
            const find = 'find /var/lib/tidings/spools -type f ! -name lock';
            expect(await docker(['exec', id, 'bash', '-c', find])).toBe('');
          },
          60_000,
          1_000,
        );
      },
      STEP_MS,
    );

    it.each(['storage', 'session', 'presence'])(
      '%s grows to two and shrinks to one',
      async (service) => {
        await during(`two of ${service}`, () => stack.scale({ [service]: 2 }));
        await during(`one of ${service}`, () => stack.scale({ [service]: 1 }));
      },
      STEP_MS,
    );

    it(
      'lost nothing, doubled nothing, kept one order, and failed nothing',
      async () => {
        for (const talk of workload.talks) await pageIn(talk);
        for (const talk of workload.talks) await holdsTogether(workload, talk, history);
        expect(workload.failed).toEqual([]);
        expect(workload.acknowledged).toHaveLength(workload.sends);
        expect(history.check(workload.sends)).toMatchObject({ valid: true, errors: [] });
        console.log(`${workload.sends} messages in all`);
      },
      STEP_MS,
    );
  });
});
