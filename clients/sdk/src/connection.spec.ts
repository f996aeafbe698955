import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { TidingsError } from '@tidings/protocol/errors';
import type { ConnectionsAnswer } from '@tidings/protocol/http';
import { FakeClock, settle } from '../testing/fake-clock';
import { FakeTransport } from '../testing/fake-transport';
import { welcome } from '../testing/factories';
import {
  ANSWERED_MAX_MS,
  ATTEMPT_MS,
  Connection,
  REDIRECT_WITHIN_MS,
  STABLE_MS,
} from './connection';
import { NetworkError } from './errors';

const GATEWAYS = ['g1', 'g2', 'g3'];
/** What people are told beside the name of a close code. */
const WHY: Partial<Record<string, string>> = {
  replacedByLogin: 'You have logged in on another device, and this server allows one at a time',
  accountDisabled: 'Your account was disabled by those who run this server',
};
const address = (id: string) => ({ id, url: `ws://${id}/` });

class Bench {
  readonly clock = new FakeClock();
  readonly transport: FakeTransport;
  readonly asked: string[][] = [];
  readonly log: string[] = [];
  readonly frames: string[] = [];
  directory: (avoid: string[]) => Promise<ConnectionsAnswer> = (avoid) => {
    const gateways = GATEWAYS.filter((g) => !avoid.includes(g)).slice(0, 2);
    return Promise.resolve({
      ticket: `ticket-${this.asked.length}`,
      expiresInSeconds: 30,
      gateways: gateways.map(address),
      heartbeatSeconds: 25,
      backoff: { baseMs: 100, maxMs: 1_000 },
    });
  };
  readonly connection: Connection;

  constructor(seesPings = true, random = () => 0.5) {
    this.transport = new FakeTransport(seesPings);
    this.connection = new Connection(
      {
        directory: (avoid) => {
          this.asked.push(avoid);
          return this.directory(avoid);
        },
        transport: this.transport,
        clock: this.clock,
        random,
      },
      {
        online: ({ gatewayId }) => this.log.push(`online ${gatewayId}`),
        frame: (frame) => this.frames.push(frame.type),
        lost: () => this.log.push('lost'),
        failed: () => this.log.push('failed'),
        stopped: ({ code, reason }) => this.log.push(`stopped ${code} ${reason}`),
      },
    );
  }

  async start(): Promise<void> {
    this.connection.start();
    await settle();
  }

  async online(gateway = 'g1'): Promise<void> {
    await this.start();
    this.transport.last.receive(welcome(gateway));
  }

  /** Gateways and tickets of the sockets opened so far. */
  opened(): string[] {
    return this.transport.sockets.map((s) => `${s.url} ${s.protocols.join(' ')}`);
  }
}

describe('connection', () => {
  it('takes a ticket to the primary gateway and is online with its welcome', async () => {
    const bench = new Bench();
    await bench.start();
    expect(bench.opened()).toEqual(['ws://g1/ tidings.v1.json ticket.ticket-1']);
    expect(bench.connection.send('{}')).toBe(false);
    bench.transport.last.receive({ type: 'pong', serverTime: 'x' });
    bench.transport.last.receive(welcome('g1'));
    bench.transport.last.receive({ type: 'pong', serverTime: 'x' });
    expect(bench.log).toEqual(['online g1']);
    expect(bench.frames).toEqual(['pong']);
    expect(bench.connection.send('{}')).toBe(true);
  });

  it('after a loss tries the backup with the resume ticket, then the directory', async () => {
    const bench = new Bench();
    await bench.online();
    bench.transport.last.end(1006);
    await bench.clock.pass(50);
    expect(bench.opened()[1]).toBe('ws://g2/ tidings.v1.json ticket.resume-g1');
    bench.transport.last.end(1006);
    await bench.clock.pass(200);
    expect(bench.asked[1]).toEqual(['g1', 'g2']);
    expect(bench.opened()[2]).toBe('ws://g3/ tidings.v1.json ticket.ticket-2');
    bench.transport.last.receive(welcome('g3'));
    expect(bench.log).toEqual(['online g1', 'lost', 'failed', 'online g3']);
    bench.transport.last.end(1006);
    await bench.clock.pass(1_000);
    expect(bench.opened()[3]).toContain('resume-g3');
  });

  it('uses a resume ticket at the same gateway when it knows no other', async () => {
    const bench = new Bench();
    bench.directory = async () => ({
      ticket: 't',
      expiresInSeconds: 30,
      gateways: [address('g1')],
      heartbeatSeconds: 25,
      backoff: { baseMs: 100, maxMs: 1_000 },
    });
    await bench.online();
    bench.transport.last.end(CLOSE_CODES.tooSlow);
    await bench.clock.pass(100);
    expect(bench.opened()[1]).toBe('ws://g1/ tidings.v1.json ticket.resume-g1');
  });

  it('backs off with full jitter below a doubling ceiling, anew after a stable minute', async () => {
    const bench = new Bench(true, () => 0.999);
    bench.directory = () => Promise.reject(new NetworkError('down'));
    await bench.start();
    const times: number[] = [];
    for (let at = 0; times.length < 6; at += 10) {
      const before = bench.asked.length;
      await bench.clock.pass(10, 10);
      if (bench.asked.length > before) times.push(at + 10);
    }
    const waits = times.map((t, i) => t - (times[i - 1] ?? 0));
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000]);
  });

  it('does not take up a short life as a success: the ceiling goes on rising', async () => {
    const bench = new Bench(true, () => 0.999);
    await bench.online();
    for (let round = 0; round < 3; round++) {
      bench.transport.last.end(1006);
      await bench.clock.pass(2_000);
      bench.transport.last.receive(welcome('g2'));
    }
    const sockets = bench.transport.sockets.length;
    bench.transport.last.end(1006);
    await bench.clock.pass(700);
    expect(bench.transport.sockets).toHaveLength(sockets);
    await bench.clock.pass(200);
    bench.transport.last.receive(welcome('g1'));
    await bench.clock.pass(STABLE_MS, 10_000);
    const after = bench.transport.sockets.length;
    bench.transport.last.end(1006);
    await bench.clock.pass(100);
    expect(bench.transport.sockets).toHaveLength(after + 1);
  });

  it('forgives avoided gateways when the directory has no other', async () => {
    const bench = new Bench();
    await bench.start();
    const directory = bench.directory;
    bench.transport.last.end(1006);
    bench.directory = () => Promise.reject(new TidingsError('busy', { retryAfterMs: 5_000 }));
    await bench.clock.pass(100);
    bench.directory = directory;
    await bench.clock.pass(4_900);
    expect(bench.asked).toHaveLength(2);
    await bench.clock.pass(200);
    expect(bench.asked).toEqual([[], ['g1'], []]);
  });

  it.each<[string, number, (usual: Bench['directory']) => Bench['directory']]>([
    ['nobody answers', 30_000, () => () => Promise.reject(new NetworkError('down'))],
    [
      'a server refuses',
      ANSWERED_MAX_MS,
      () => () => Promise.reject(new TidingsError('unavailable', { retryAfterMs: 1_000 })),
    ],
    [
      'a server gives tickets, but no socket opens',
      ANSWERED_MAX_MS,
      (usual) => async (avoid) => {
        return { ...(await usual(avoid)), backoff: { baseMs: 250, maxMs: 30_000 } };
      },
    ],
  ])('for how long it waits at most while %s: %i ms', async (_what, most, make) => {
    const bench = new Bench(true, () => 0.99);
    const usual = make(bench.directory);
    const asked: number[] = [];
    bench.directory = (avoid) => {
      asked.push(bench.clock.now());
      return usual(avoid);
    };
    await bench.start();
    for (let step = 0, ended = 0; step < 600; step++) {
      await bench.clock.pass(500);
      if (bench.transport.sockets.length > ended++) bench.transport.last.end(1006);
      ended = bench.transport.sockets.length;
    }
    const waits = asked.slice(1).map((at, i) => at - asked[i]!);
    expect(Math.max(...waits)).toBeGreaterThan(most * 0.9);
    expect(Math.max(...waits)).toBeLessThanOrEqual(most + 500);
  });

  it.each([
    ['unauthorized' as const, true],
    ['refresh_reused' as const, true],
    ['refresh_expired' as const, true],
    ['busy' as const, false],
    ['internal' as const, false],
  ])('directory says %s → stops: %s', async (code, stops) => {
    const bench = new Bench();
    bench.directory = () => Promise.reject(new TidingsError(code));
    await bench.start();
    expect(bench.log).toEqual([stops ? 'stopped undefined logged out' : 'failed']);
    expect(bench.clock.pending).toBe(stops ? 0 : 1);
  });

  it.each(Object.entries(CLOSE_CODES))('close code %s (%i)', async (name, code) => {
    const bench = new Bench();
    await bench.online();
    bench.transport.last.end(code);
    const stops = code >= 4500 && code <= 4999;
    const why = WHY[name] ?? name;
    expect(bench.log.at(-1)).toBe(stops ? `stopped ${code} ${why}` : 'lost');
    await bench.clock.pass(2_000);
    expect(bench.transport.sockets).toHaveLength(stops ? 1 : 2);
  });

  it('makes one attempt at a time and ignores sockets that it has given up', async () => {
    const bench = new Bench();
    await bench.start();
    const first = bench.transport.last;
    await bench.clock.pass(ATTEMPT_MS + 200, 100);
    expect(first.abandoned).toBe(true);
    expect(bench.transport.sockets).toHaveLength(2);
    first.receive(welcome('g1'));
    first.end(CLOSE_CODES.sameDeviceElsewhere);
    expect(bench.log).toEqual(['failed']);
    bench.transport.last.receive(welcome('g2'));
    first.end(CLOSE_CODES.loggedOut);
    expect(bench.log).toEqual(['failed', 'online g2']);
  });

  it('ignores an answer of the directory that comes after stop', async () => {
    const bench = new Bench();
    bench.connection.start();
    bench.connection.stop();
    await settle();
    expect(bench.transport.sockets).toHaveLength(0);
    expect(bench.clock.pending).toBe(0);
    expect(bench.log).toEqual([]);
  });

  it('gives up a socket without a sign of life for 2.5 heartbeats; pings count', async () => {
    const bench = new Bench();
    await bench.online();
    await bench.clock.pass(50_000, 5_000);
    bench.transport.last.handlers.alive();
    await bench.clock.pass(60_000, 5_000);
    expect(bench.log).toEqual(['online g1']);
    await bench.clock.pass(10_000, 5_000);
    expect(bench.log).toEqual(['online g1', 'lost']);
    expect(bench.transport.sockets[0]!.abandoned).toBe(true);
  });

  it('asks for signs of life where pings cannot be seen', async () => {
    const bench = new Bench(false);
    await bench.online();
    bench.transport.last.onFrame = (frame) => {
      if (frame['type'] !== 'ping') return;
      bench.transport.last.receive({ type: 'pong', serverTime: 'x' });
    };
    await bench.clock.pass(300_000, 10_000);
    expect(bench.log).toEqual(['online g1']);
  });

  it('moves to the gateway that a goodbye names, at the time that it names', async () => {
    const bench = new Bench();
    await bench.online();
    bench.transport.last.receive({
      type: 'goodbye',
      reason: 'draining',
      reconnect: true,
      afterMs: 700,
      gateways: [address('g9')],
    });
    await bench.clock.pass(650);
    expect(bench.transport.sockets).toHaveLength(1);
    await bench.clock.pass(100);
    expect(bench.opened()[1]).toBe('ws://g9/ tidings.v1.json ticket.resume-g1');
  });

  it('stays away when a goodbye says so', async () => {
    const bench = new Bench();
    await bench.online();
    const goodbye = { type: 'goodbye', reason: 'closing down', reconnect: false, afterMs: 0 };
    bench.transport.last.receive({ ...goodbye, gateways: [] });
    bench.transport.last.end(CLOSE_CODES.draining, 'closing down');
    expect(bench.log.at(-1)).toBe('stopped 4000 closing down');
  });

  const busy = (seconds: number) => ({ code: 'busy' as const, retryAfterMs: seconds * 1000 });

  it('takes a ticket that a busy gateway did not take to another one at once', async () => {
    const bench = new Bench();
    await bench.start();
    bench.transport.last.refuse(busy(9));
    await bench.clock.pass(100);
    bench.transport.last.receive(welcome('g2'));
    bench.transport.last.end(1006);
    await bench.clock.pass(200);
    bench.transport.last.refuse(busy(9));
    expect(bench.opened()).toEqual([
      'ws://g1/ tidings.v1.json ticket.ticket-1',
      'ws://g2/ tidings.v1.json ticket.ticket-1',
      'ws://g1/ tidings.v1.json ticket.resume-g2',
    ]);
    expect(bench.asked).toHaveLength(1);
  });

  it('keeps a ticket for its gateways when all are busy, as long as they say; then asks the directory', async () => {
    const bench = new Bench();
    await bench.online();
    bench.transport.last.end(1006);
    await bench.clock.pass(50);
    bench.transport.last.refuse(busy(3));
    await bench.clock.pass(2_900);
    expect(bench.transport.sockets).toHaveLength(2);
    await bench.clock.pass(100);
    expect(bench.opened()[2]).toBe('ws://g2/ tidings.v1.json ticket.resume-g1');
    bench.transport.last.refuse(busy(3));
    await bench.clock.pass(3_000);
    expect(bench.opened()[3]).toBe('ws://g2/ tidings.v1.json ticket.ticket-2');
    expect(bench.asked[1]).toEqual(['g1']);
  });

  const nobody = (reason: 'full' | 'draining') => ({ ...busy(2), reason });
  /** A directory that knows only these gateways, whatever is to be avoided. */
  const only = (bench: Bench, ...ids: string[]): void => {
    const usual = bench.directory;
    bench.directory = async (avoid) => {
      const wanted = ids.filter((id) => !avoid.includes(id));
      return {
        ...(await usual([])),
        gateways: (wanted.length > 0 ? wanted : ids).slice(0, 1).map(address),
      };
    };
  };

  it.each(['full', 'draining'] as const)(
    'asks the directory for another gateway at once when the only one it knows is %s',
    async (reason) => {
      const bench = new Bench(true, () => 0.99);
      only(bench, 'g1', 'g2');
      await bench.start();
      bench.transport.last.refuse(nobody(reason));
      await settle();
      expect(bench.asked).toEqual([[]]);
      await bench.clock.pass(REDIRECT_WITHIN_MS[0], 10);
      expect(bench.asked).toEqual([[], ['g1']]);
      expect(bench.opened()[1]).toBe('ws://g2/ tidings.v1.json ticket.ticket-2');
      bench.transport.last.receive(welcome('g2'));
      expect(bench.log).toEqual(['failed', 'online g2']);
    },
  );

  it('waits for the only gateway there is, as long as it says, with a ticket for it', async () => {
    const bench = new Bench();
    only(bench, 'g1');
    await bench.start();
    for (let round = 1; round < 4; round++) {
      bench.transport.last.refuse(nobody('full'));
      await bench.clock.pass(1_900, 50);
      expect(bench.asked).toHaveLength(round + 1);
      expect(bench.transport.sockets).toHaveLength(round);
      await bench.clock.pass(2_000, 50);
      expect(bench.opened()[round]).toBe(`ws://g1/ tidings.v1.json ticket.ticket-${round + 1}`);
    }
  });

  it('asks for another one three times, later each time, then waits as it is told', async () => {
    const bench = new Bench(true, () => 0.99);
    const ids = Array.from({ length: 9 }, (_, n) => `g${n}`);
    only(bench, ...ids);
    await bench.start();
    for (const within of REDIRECT_WITHIN_MS) {
      const asked = bench.asked.length;
      bench.transport.last.refuse(nobody('full'));
      await bench.clock.pass(within * 0.9, 10);
      expect(bench.asked).toHaveLength(asked);
      await bench.clock.pass(within * 0.1, 10);
      expect(bench.asked).toHaveLength(asked + 1);
    }
    expect(bench.transport.last.url).toBe('ws://g3/');
    bench.transport.last.refuse(nobody('full'));
    await bench.clock.pass(1_900, 50);
    expect(bench.asked).toHaveLength(4);
    expect(bench.transport.sockets).toHaveLength(4);
  });

  it.each<[string, Error, number]>([
    ['is busy, too', new TidingsError('busy', { retryAfterMs: 3_000 }), 3_000],
    ['cannot be reached', new NetworkError('down'), 2_000],
  ])('keeps its ticket when the directory %s', async (_what, error, ms) => {
    const bench = new Bench(true, () => 0.01);
    await bench.online();
    bench.transport.last.end(1006);
    await bench.clock.pass(50);
    bench.directory = () => Promise.reject(error);
    bench.transport.last.refuse(nobody('draining'));
    await bench.clock.pass(ms - 100, 50);
    expect(bench.transport.sockets).toHaveLength(2);
    expect(bench.asked).toHaveLength(2);
    await bench.clock.pass(200, 50);
    expect(bench.opened()[2]).toContain('ticket.resume-g1');
  });

  it.each(['pace', 'address', undefined] as const)(
    'waits as told when a busy gateway says %s',
    async (reason) => {
      const bench = new Bench();
      only(bench, 'g1', 'g2');
      await bench.start();
      bench.transport.last.refuse({ ...busy(2), reason });
      await bench.clock.pass(1_900, 50);
      expect(bench.asked).toHaveLength(1);
      expect(bench.transport.sockets).toHaveLength(1);
      await bench.clock.pass(200, 50);
      expect(bench.opened()[1]).toBe('ws://g1/ tidings.v1.json ticket.ticket-1');
    },
  );

  it('does not keep a ticket beyond its time', async () => {
    const bench = new Bench();
    await bench.start();
    for (let n = 0; n < 2; n++) {
      bench.transport.last.refuse(busy(31));
      await bench.clock.pass(31_500, 500);
    }
    expect(bench.opened().map((text) => text.split('.').at(-1))).toEqual([
      'ticket-1',
      'ticket-1',
      'ticket-2',
    ]);
  });

  it.each(['unauthorized', 'unavailable'] as const)(
    'does not keep a ticket after %s',
    async (code) => {
      const bench = new Bench();
      await bench.online();
      bench.transport.last.end(1006);
      await bench.clock.pass(50);
      bench.transport.last.refuse({ code });
      await bench.clock.pass(1_000);
      expect(bench.opened()[2]).toContain('ticket.ticket-2');
    },
  );

  it('takes an address that cannot be opened as a failed attempt', async () => {
    const bench = new Bench();
    bench.transport.onOpen = () => {
      throw new Error('bad address');
    };
    await bench.start();
    expect(bench.log).toEqual(['failed']);
    bench.transport.onOpen = null;
    await bench.clock.pass(200);
    expect(bench.asked[1]).toEqual(['g1']);
  });

  it('cuts a wait short when asked to, without starting the backoff anew', async () => {
    const bench = new Bench(true, () => 0.999);
    bench.directory = () => Promise.reject(new NetworkError('down'));
    await bench.start();
    await bench.clock.pass(10_000);
    const asked = bench.asked.length;
    bench.connection.reconnect('typed');
    bench.connection.reconnect('typed');
    await settle();
    expect(bench.asked).toHaveLength(asked + 1);
    await bench.clock.pass(5_000);
    expect(bench.asked).toHaveLength(asked + 1);
    expect(bench.clock.pending).toBe(1);
  });

  it('leaves no timer behind', async () => {
    const bench = new Bench();
    await bench.online();
    bench.connection.stop();
    expect(bench.transport.last.closedWith).toBe(1000);
    expect(bench.clock.pending).toBe(0);
  });
});
