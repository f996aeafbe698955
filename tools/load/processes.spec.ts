import { cpuTimes, machineCpuTime, memory, parseMachineStat, parseStat } from './processes';

describe('parseStat', () => {
  it('reads times in ticks, whatever the command is called', () => {
    const after = 'S 42 1 1 0 -1 4194560 1 2 3 4 150 50 7 3 20 0';
    for (const name of ['node', 'a b', 'x) S 1 (y']) {
      expect(parseStat(`4711 (${name}) ${after}`)).toEqual({
        parent: 42,
        ownUs: 2_000_000,
        reapedUs: 100_000,
      });
    }
  });
});

describe('the machine', () => {
  it('sums what was work', () => {
    expect(parseMachineStat('cpu  100 20 30 4000 500 6 4 70 8 9\ncpu0 1 2 3')).toBe(1_600_000);
  });

  it('has worked', () => {
    expect(machineCpuTime()).toBeGreaterThan(0);
  });
});

describe('this process', () => {
  const processes = [{ name: 'self', pid: process.pid }];

  it('uses CPU and memory', () => {
    const before = cpuTimes(processes)['self']!;
    // by its own CPU clock: on a busy machine a tenth of a second may be no work at all
    const { user } = process.cpuUsage();
    while (process.cpuUsage().user - user < 50_000);
    expect(cpuTimes(processes)['self']! - before).toBeGreaterThanOrEqual(20_000);
    expect(memory(processes)['self']).toBeGreaterThan(10 * 2 ** 20);
  });

  it('knows nothing of one that is gone', () => {
    expect(cpuTimes([{ name: 'gone', pid: 2 ** 30 }])).toEqual({ gone: 0 });
    expect(memory([{ name: 'gone', pid: 2 ** 30 }])).toEqual({ gone: 0 });
  });
});
