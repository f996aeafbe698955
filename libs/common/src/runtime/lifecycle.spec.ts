import { pino } from 'pino';
import { Lifecycle, type Step } from './lifecycle';
import { within } from './waiting';

const silent = pino({ level: 'silent' });

function recorder(names: string[], failing?: string): { steps: Step[]; log: string[] } {
  const log: string[] = [];
  const steps = names.map((name) => ({
    name,
    start: () => {
      if (name === failing) throw new Error('no');
      log.push(`+${name}`);
    },
    stop: () => {
      log.push(`-${name}`);
    },
  }));
  return { steps, log };
}

describe('Lifecycle', () => {
  it('stops in the reverse of the start order, once', async () => {
    const { steps, log } = recorder(['a', 'b', 'c']);
    const lifecycle = new Lifecycle(silent);
    await lifecycle.start(steps);
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
  });

  it('stops what had started when a start fails', async () => {
    const { steps, log } = recorder(['a', 'b', 'c'], 'b');
    await expect(new Lifecycle(silent).start(steps)).rejects.toThrow('no');
    expect(log).toEqual(['+a', '-b', '-a']);
  });

  it('goes on when a stop fails or hangs', async () => {
    const { steps, log } = recorder(['a']);
    const hanging = { name: 'h', stop: () => new Promise<void>(() => undefined), stopWithinMs: 5 };
    const lifecycle = new Lifecycle(silent);
    await lifecycle.start([...steps, hanging]);
    await lifecycle.stop();
    expect(log).toEqual(['+a', '-a']);
  });

  it('bounds a promise in time', async () => {
    await expect(within(new Promise(() => undefined), 5)).rejects.toThrow('not done within 5 ms');
    await expect(within(Promise.resolve(1), 5)).resolves.toBe(1);
  });
});
