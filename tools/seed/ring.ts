/**
 * Pairs among `count` in a ring, each with `each` others: the nearest `each / 2` on either side (a
 * circulant graph). Every pair stands once.
 * @throws Error when there are too few for that, or `each` is odd.
 */
export function ring(count: number, each: number): [number, number][] {
  if (each % 2 !== 0 || each >= count) {
    throw new Error(`an even number of conversations below ${count} is expected, not ${each}`);
  }
  const pairs: [number, number][] = [];
  for (let one = 0; one < count; one++) {
    for (let step = 1; step <= each / 2; step++) pairs.push([one, (one + step) % count]);
  }
  return pairs;
}
