import { heartbeatStep } from './liveness';

const H = 1_000;

describe('heartbeatStep', () => {
  it.each([
    { seen: 0, ping: 0, now: 999, step: { act: 'wait', againInMs: 1 } },
    { seen: 0, ping: 0, now: 1_000, step: { act: 'ping', againInMs: 1_000 } },
    { seen: 0, ping: 1_000, now: 1_500, step: { act: 'wait', againInMs: 500 } },
    { seen: 0, ping: 1_000, now: 1_999, step: { act: 'wait', againInMs: 1 } },
    { seen: 0, ping: 1_000, now: 2_000, step: { act: 'close' } },
    { seen: 900, ping: 1_000, now: 2_000, step: { act: 'ping', againInMs: 900 } },
    { seen: 1_990, ping: 1_000, now: 2_100, step: { act: 'ping', againInMs: 1_000 } },
  ])('seen $seen, pinged $ping, now $now', ({ seen, ping, now, step }) => {
    expect(heartbeatStep({ lastSeenAt: seen, lastPingAt: ping }, now, H)).toEqual(step);
  });
});
