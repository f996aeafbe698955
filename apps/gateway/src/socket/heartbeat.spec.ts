import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { fakeConnection } from '../testing/fake-connection';
import { Heartbeat } from './heartbeat';

const H = 1_000;

function run(options: {
  answers: boolean;
  until: number;
  jumpAt?: number;
  jumpMs?: number;
  /** To ping it throws. */
  broken?: boolean;
}) {
  let now = 0;
  const closes: { at: number; code: number }[] = [];
  const heartbeat = new Heartbeat(H, () => now, {
    close: (connection, code) => {
      connection.ended = true;
      closes.push({ at: now, code });
    },
    failed: (connection) => {
      connection.ended = true;
      closes.push({ at: now, code: CLOSE_CODES.internalError });
    },
  });
  const { connection, socket } = fakeConnection();
  if (options.broken) {
    socket.ping = () => {
      throw new Error('a defect');
    };
  }
  heartbeat.watch(connection);
  while (now < options.until) {
    now += now === options.jumpAt ? (options.jumpMs ?? 0) : 10;
    const pings = socket.calls.length;
    heartbeat.tick();
    if (options.answers && socket.calls.length > pings) connection.lastSeenAt = now;
  }
  return { closes, pings: socket.calls.length };
}

describe('Heartbeat', () => {
  it('ends a socket that cannot be pinged, and nothing else', () => {
    const { closes } = run({ answers: false, until: 2 * H, broken: true });
    expect(closes.map(({ code }) => code)).toEqual([CLOSE_CODES.internalError]);
  });

  it('pings each heartbeat and keeps a socket that answers', () => {
    const { closes, pings } = run({ answers: true, until: 10 * H + 100 });
    expect(closes).toEqual([]);
    expect(pings).toBe(10);
  });

  it('closes a silent socket after two heartbeats, and before two and a quarter', () => {
    const { closes } = run({ answers: false, until: 4 * H });
    expect(closes).toHaveLength(1);
    expect(closes[0]!.code).toBe(CLOSE_CODES.heartbeatMissed);
    expect(closes[0]!.at).toBeGreaterThanOrEqual(2 * H);
    expect(closes[0]!.at).toBeLessThanOrEqual(2.25 * H);
  });

  it('does not take its own standstill for silence', () => {
    const options = { until: 40 * H, jumpAt: 5 * H, jumpMs: 30 * H };
    expect(run({ ...options, answers: true }).closes).toEqual([]);
    const { closes } = run({ ...options, jumpAt: 1_500, answers: false });
    expect(closes[0]!.at).toBeGreaterThan(31.5 * H);
  });
});
