import { FakeClock } from '../testing/fake-clock';
import { Activity, JOINED_MS } from './activity';

function setUp(features = ['presence']) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const activity = new Activity({
    clock,
    send: (text) => {
      const { type, kind, mode } = JSON.parse(text) as Record<string, string>;
      return sent.push([type, kind ?? mode].join(' ')) > 0;
    },
  });
  activity.connected(features);
  return { clock, sent, activity };
}

describe('what the user does', () => {
  it('is told once in 30 s, connecting counts', () => {
    const { clock, sent, activity } = setUp();
    for (let ms = 0; ms < 3 * JOINED_MS; ms += 1_000) {
      activity.active();
      clock.advance(1_000);
    }
    expect(sent).toEqual(['activity user', 'activity user', 'activity user']);
    clock.advance(JOINED_MS);
    expect([sent.length, clock.pending]).toEqual([3, 0]);
    activity.active();
    expect(sent).toHaveLength(4);
  });

  it('is told by what they send, too', () => {
    const { clock, sent, activity } = setUp();
    clock.advance(20_000);
    activity.active();
    activity.said();
    expect(clock.pending).toBe(0);
    clock.advance(JOINED_MS - 1);
    activity.active();
    expect(sent).toEqual([]);
    clock.advance(1);
    expect(sent).toEqual(['activity user']);
  });

  it('is not told to a server that does not take it, nor without a connection', () => {
    const { clock, sent, activity } = setUp(['typing']);
    clock.advance(JOINED_MS);
    activity.active();
    activity.goes('background');
    activity.connected(['presence']);
    expect(sent).toEqual(['state background']);
    clock.advance(1);
    activity.active();
    activity.disconnected();
    clock.advance(JOINED_MS);
    activity.active();
    activity.goes('front');
    expect([sent.length, clock.pending]).toEqual([1, 0]);
  });
});

describe('where the app is', () => {
  it('is told when it changes, and to each new connection when it is in the background', () => {
    const { sent, activity } = setUp();
    activity.goes('front');
    activity.goes('background');
    activity.goes('background');
    activity.disconnected();
    activity.connected(['presence']);
    activity.goes('front');
    activity.disconnected();
    activity.connected(['presence']);
    expect(sent).toEqual(['state background', 'state background', 'state front']);
  });
});
