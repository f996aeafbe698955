import type { Footprint } from '../footprint';
import { Sampler } from './sampler';

const stores = { redisKeys: 7 } as Footprint;
const self = [{ name: 'self', pid: process.pid }];

describe('Sampler', () => {
  it('looks as often as it is told, at what it can see', async () => {
    let looks = 0;
    const sampler = new Sampler(
      {
        processes: () => self,
        footprint: () => Promise.resolve(stores),
        lag: () => (++looks === 2 ? Promise.reject(new Error('away')) : Promise.resolve(looks)),
      },
      { everyMs: 5, times: 3 },
    );
    sampler.start();
    const samples = await sampler.finished();
    expect(samples.map(({ redisKeys, lagRecords }) => [redisKeys, lagRecords])).toEqual([
      [7, 1],
      [7, null],
      [7, 3],
    ]);
    samples.forEach(({ atMs, memoryBytes }, i) => {
      expect(atMs).toBeGreaterThan(5 * i);
      expect(memoryBytes.self).toBeGreaterThan(2 ** 20);
    });
  });

  it('ends before its time, and without having begun', async () => {
    const footprint = jest.fn(() => Promise.resolve(stores));
    const sampled = { processes: () => self, footprint, lag: () => Promise.resolve(0) };
    const sampler = new Sampler(sampled, { everyMs: 3_600_000, times: 3 });
    await sampler.stop();
    sampler.start();
    await sampler.stop();
    expect(await sampler.finished()).toEqual([]);
    expect(footprint).not.toHaveBeenCalled();
  });
});
