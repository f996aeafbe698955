import { createLogger } from '@tidings/common/runtime/logger';
import { MediaSweep, type MediaSweepParts } from './media-sweep';

const REMOVALS = ['one', 'two'].map((mediaId) => ({ conversationId: 'c', mediaId }));

function setUp(over: Partial<MediaSweepParts> = {}) {
  const done: string[] = [];
  const parts: MediaSweepParts = {
    media: {
      beginRemovals: () => Promise.resolve(REMOVALS),
      unwatchShown: () => Promise.resolve(),
      remove: ({ mediaId }) => Promise.resolve(void done.push(`row ${mediaId}`)),
    },
    driver: { remove: (key) => Promise.resolve(void done.push(key)) },
    term: () => '1',
    caughtUp: () => Promise.resolve(true),
    everyMs: 1,
    logger: createLogger({ service: 'test', nodeId: 't', level: 'silent' }),
    ...over,
  };
  return { sweep: new MediaSweep(parts), done };
}

describe('MediaSweep', () => {
  it('removes bytes first, then the row', async () => {
    const { sweep, done } = setUp();
    await sweep.sweep();
    expect(done).toEqual(['one.thumb', 'one', 'row one', 'two.thumb', 'two', 'row two']);
  });

  it('goes on until nothing is left, asking about the log each time', async () => {
    const left = Array.from({ length: 250 }, (_, n) => ({ conversationId: 'c', mediaId: `${n}` }));
    let asked = 0;
    const { sweep, done } = setUp({
      media: {
        beginRemovals: (limit) => Promise.resolve(left.slice(0, limit)),
        unwatchShown: () => Promise.resolve(),
        remove: () => Promise.resolve(void left.shift()),
      },
      caughtUp: () => Promise.resolve(++asked > 0),
    });
    await sweep.sweep();
    expect([left.length, done.length, asked]).toEqual([0, 500, 3]);
  });

  it('leaves the row when the bytes could not be removed', async () => {
    const { sweep, done } = setUp({ driver: { remove: () => Promise.reject(new Error('away')) } });
    await expect(sweep.sweep()).rejects.toThrow('away');
    expect(done).toEqual([]);
  });

  it.each([
    ['it does not lead', { term: () => null }],
    ['storage is behind the log', { caughtUp: () => Promise.resolve(false) }],
  ])('does nothing when %s', async (_, over) => {
    const { sweep, done } = setUp(over);
    await sweep.sweep();
    expect(done).toEqual([]);
  });

  it('stops between two uploads when it leads no more', async () => {
    let asked = 0;
    const { sweep, done } = setUp({ term: () => (++asked <= 2 ? '1' : null) });
    await sweep.sweep();
    expect(done).toEqual(['one.thumb', 'one', 'row one']);
  });
});
