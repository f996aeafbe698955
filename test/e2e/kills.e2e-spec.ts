import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionsAnswer, Page, Presence } from '@tidings/protocol/http';
import type { NodeHandle } from '../../tools/stack/service-node';
import type { Stack } from '../../tools/stack/stack';
import { FaultHistory } from '../fault/fault-history';
import { nothingIsWrong } from '../fault/fault-run';
import { type Device, Workload } from '../fault/workload';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { startTestStack } from '../support/test-stack';

/** Direct chats of one device with two. */
const CONVERSATIONS = 4;
const PER_SECOND = 40;
/** So many messages arrive before a kill, and again after it, before a test goes on. */
const SOME = 20;
/** Until chat is back, milliseconds: for a busy machine. How soon it is on a quiet one is measured by `npm run test:faults`. */
const BACK_MS = 30_000;
/** How long an entry of the directory counts after its last heartbeat (libs/common/src/redis/directory.ts), milliseconds. */
const LEASE_MS = 5_000;
/** What a busy machine may add to it. */
const SLACK_MS = 5_000;

/** The calls by which a client logs in or asks for a ticket. */
const isEntrance = (url: string): boolean => /\/v1\/(?:auth|connections)/.test(url);

/** One `kill -9` of each service; behind them all that was sent is looked at, on every device and a new one. */
describe('kill -9, while people chat,', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-kills-'));
  let stack: Stack;
  let stop: () => Promise<void>;
  let history: FaultHistory;
  let workload: Workload;
  /** How often somebody was shown a message of somebody else. */
  let arrivals = 0;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack());
    history = new FaultHistory(join(dir, 'history.jsonl'));
    workload = new Workload(stack.gatewayUrls, history);
    await workload.prepare(CONVERSATIONS);
    for (const { client } of workload.devices) {
      client.on('message', ({ own }) => void (arrivals += own ? 0 : 1));
    }
  }, 240_000);
  afterAll(async () => {
    await workload?.stop();
    await stop?.();
    history?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const arrived = (): number => arrivals;

  /** Waits until a count has grown by {@link SOME}. */
  async function grows(count: () => number): Promise<void> {
    const before = count();
    await eventually(() => expect(count()).toBeGreaterThanOrEqual(before + SOME), BACK_MS);
  }

  /** Chat goes on while this is done to a node: killed, looked at, and started again. */
  async function killed(node: NodeHandle, meanwhile: () => Promise<void>): Promise<void> {
    await workload.runDuring(PER_SECOND, async () => {
      await grows(arrived);
      await node.kill('SIGKILL');
      // also for the tests behind this one
      await meanwhile().finally(() => node.restart());
      await grows(arrived);
    });
    await workload.settle(BACK_MS);
    expect(workload.failed).toEqual([]);
    expect(workload.acknowledged).toHaveLength(workload.sends);
  }

  it('of a gateway: its clients are back at the other one by their resume tickets, without a login', async () => {
    const gateway = stack.node('gateway-1');
    const moved = workload.devices.filter((d) => d.gatewayId === gateway.id);
    expect(moved.length).toBeGreaterThan(0);
    const calls = jest.spyOn(globalThis, 'fetch');
    try {
      await killed(gateway, async () => {
        const since = performance.now();
        const back = async (device: Device): Promise<number> =>
          eventually(() => {
            expect(device.client.gatewayId).toBe('gateway-2');
            return Math.round(performance.now() - since);
          }, BACK_MS);
        const times = await Promise.all(moved.map(back));
        const entrances = calls.mock.calls.map(([url]) => String(url)).filter(isEntrance);
        expect(entrances).toEqual([]);
        console.log(`back after the kill of a gateway: ${times.join(', ')} ms`);
        await grows(arrived);
      });
    } finally {
      calls.mockRestore();
    }
  });

  it('of a gateway: the directory names it no more when its lease is over, and again when it is back', async () => {
    const { reader } = workload.talks[0]!;
    const [, base] = stack.gatewayUrls;
    const named = async (): Promise<string[]> => {
      const body = { deviceId: reader.deviceId };
      const answer = await reader.http<ConnectionsAnswer>('POST', '/v1/connections', body, {
        base,
      });
      expect(answer.status).toBe(200);
      return answer.body.gateways.map(({ id }) => id).sort();
    };
    expect(await named()).toEqual(['gateway-1', 'gateway-2']);
    await stack.node('gateway-1').kill('SIGKILL');
    await eventually(
      async () => expect(await named()).toEqual(['gateway-2']),
      LEASE_MS + SLACK_MS,
    ).finally(() => stack.node('gateway-1').restart());
    await eventually(async () => expect(await named()).toEqual(['gateway-1', 'gateway-2']));
  });

  it('of session: sends are acknowledged without it, and delivered by its next process', async () => {
    await killed(stack.node('session-1'), async () => {
      const before = arrived();
      await grows(() => workload.acknowledged.length);
      expect(arrived()).toBeLessThan(before + SOME);
    });
  });

  it('of storage: messages go on to arrive without it, and are stored afterwards', async () => {
    const { id, reader } = workload.talks[0]!;
    const socket = await reader.connect('gateway-2');
    await killed(stack.node('storage-1'), async () => {
      await grows(arrived);
      const page = `/v1/conversations/${id}/messages`;
      expect((await reader.http('GET', page)).status).toBe(503);
      socket.send({ type: 'sync', ref: 'no storage' });
      const refused = await socket.find((f) => f['ref'] === 'no storage', BACK_MS);
      expect(refused).toMatchObject({ type: 'error', code: 'unavailable' });
      // an operator sees it
      const metrics = await (await fetch(`${stack.node('gateway-2').url}/metrics`)).text();
      expect(metrics).toMatch(
        /^tidings_http_errors_total\{method="WS",route="sync",code="unavailable"/m,
      );
    });
    await socket.end();
  });

  it('of presence: messages go on to arrive, and who left meanwhile is shown as away afterwards', async () => {
    const { reader, ends } = workload.talks[0]!;
    const leaver = await ChatUser.create(stack.gatewayUrls);
    const socket = await leaver.connect();
    const path = `/v1/presence?userIds=${leaver.id},${ends[1][0]!.user.id}`;
    const statuses = async (): Promise<string[]> => {
      const { body } = await reader.http<Page<Presence>>('GET', path);
      return body.items.map((one) => one.status);
    };
    await eventually(async () => expect(await statuses()).toEqual(['online', 'online']));
    await killed(stack.node('presence-1'), async () => {
      await socket.end();
      await grows(arrived);
    });
    await eventually(async () => expect(await statuses()).toEqual(['offline', 'online']), BACK_MS);
  });

  it('loses no message of any of them, and nobody has one twice or in another order', async () => {
    const { sends } = workload;
    expect(sends).toBeGreaterThan(0);
    await nothingIsWrong({ stack, workload, history }, { sends, enough: sends });
  });
});
