import { cpuTimes } from '../../tools/load/processes';
import { eventually } from './eventually';
import { processTree } from './process-tree';

/** CPU time after which a decode is under way, microseconds. */
const DECODING_US = 40_000;

/** Id of the process that works on images for a gateway; it begins with the first one. */
export function imageProcessOf(gateway: { pid: number }): number {
  const found = processTree(gateway.pid).filter((pid) => pid !== gateway.pid);
  expect(found).toHaveLength(1);
  return found[0]!;
}

/** Begins work on an image; settles with its outcome, in an array, as soon as its decode is under way. */
export async function underWay<T>(pid: number, work: () => Promise<T>): Promise<[Promise<T>]> {
  const spent = (): number => cpuTimes([{ name: 'images', pid }])['images']!;
  const before = spent();
  const outcome = work();
  await eventually(() => expect(spent() - before).toBeGreaterThanOrEqual(DECODING_US), 10_000, 5);
  return [outcome];
}
