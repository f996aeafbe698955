import { behind } from './group-lag';

const bounds = (...pairs: [bigint, bigint][]) => pairs.map(([low, high]) => ({ low, high }));

describe('how far a group is behind', () => {
  it('nothing of an empty log, and of one that is read to its end', () => {
    const nothing = { records: 0, lost: 0, cursors: [] };
    expect(behind(bounds([0n, 0n]), [null])).toEqual(nothing);
    expect(behind(bounds([3n, 9n]), [9n])).toEqual(nothing);
  });

  it('counts from its offset, and from the start of the log where it has none', () => {
    expect(behind(bounds([3n, 9n], [3n, 9n]), [7n, null])).toEqual({
      records: 8,
      lost: 0,
      cursors: [
        { partition: 0, offset: 7n },
        { partition: 1, offset: 3n },
      ],
    });
  });

  it('tells what retention took before it was read', () => {
    expect(behind(bounds([5n, 9n], [4n, 4n]), [2n, 1n])).toEqual({
      records: 4,
      lost: 6,
      cursors: [{ partition: 0, offset: 5n }],
    });
  });

  it('an offset beyond the end, as the group heard of the end earlier, is the end', () => {
    expect(behind(bounds([0n, 5n]), [6n])).toEqual({ records: 0, lost: 0, cursors: [] });
  });
});
