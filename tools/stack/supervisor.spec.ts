import { pauseAfter, Supervisor, type Supervised } from './supervisor';

const KILLED = { code: null, signal: 'SIGKILL' as const };

/** A process that can be ended by hand; notes when it was started. */
class Fake implements Supervised {
  readonly name = 'session-1';
  readonly pid = 4711;
  readonly logPath = 'session-1.log';
  starts = 0;
  failures = 0;
  /** Told of each start, before it is ready. */
  starting = (): void => undefined;
  private alive = true;

  isAlive(): boolean {
    return this.alive;
  }

  end(): void {
    this.alive = false;
  }

  start(): Promise<void> {
    this.starts++;
    this.starting();
    if (this.failures > 0) {
      this.failures--;
      return Promise.reject(new Error('port in use'));
    }
    this.alive = true;
    return Promise.resolve();
  }
}

describe('a supervisor', () => {
  let clock: number;
  let lines: string[];
  let pauses: number[];

  beforeEach(() => {
    clock = 1_000;
    lines = [];
    pauses = [];
  });

  const supervisor = (restart = true): Supervisor =>
    new Supervisor({
      log: (line) => lines.push(line),
      restart,
      now: () => clock,
      pause: (ms) => Promise.resolve(pauses.push(ms)),
    });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  /** Ends the process `times` times, each time after it has run for `ranMs`. */
  async function crash(process: Fake, ranMs: number, times: number): Promise<void> {
    const { ended } = supervisor();
    for (let n = 0; n < times; n++) {
      process.end();
      ended(process, KILLED);
      await settled();
      clock += ranMs;
    }
  }

  it('brings back at once what has run for a while, as often as it ends', async () => {
    const process = new Fake();
    await crash(process, 6_000, 3);
    expect(process.starts).toBe(3);
    expect(pauses).toEqual([]);
    expect(lines.filter((line) => line === 'session-1 is back  pid 4711')).toHaveLength(3);
  });

  it('counts the time of a slow start: a busy machine is no crash', async () => {
    const process = new Fake();
    process.starting = () => (clock += 4_000);
    await crash(process, 2_000, 3);
    expect(pauses).toEqual([]);
  });

  it('waits longer and longer while it keeps ending', async () => {
    const process = new Fake();
    await crash(process, 50, 8);
    expect(process.starts).toBe(8);
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    expect(pauseAfter(1_000)).toBe(10_000);
  });

  it('tries again when a start fails, and says why', async () => {
    const process = new Fake();
    process.failures = 2;
    await crash(process, 0, 1);
    expect(process.starts).toBe(3);
    expect(pauses).toEqual([500, 1_000]);
    expect(lines.filter((line) => line.includes('did not come back: port in use'))).toHaveLength(2);
  });

  it('only reports when it is told not to restart, and nothing once it is stopped', async () => {
    const process = new Fake();
    process.end();
    const reporting = supervisor(false);
    reporting.ended(process, KILLED);
    await settled();
    reporting.stop();
    reporting.ended(process, KILLED);
    expect(process.starts).toBe(0);
    expect(lines).toHaveLength(1);
  });
});
