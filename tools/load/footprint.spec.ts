import { type Footprint, storeCosts, storesText } from './footprint';

const empty: Footprint = {
  redisBytes: 1000,
  redisKeys: 1,
  databaseBytes: 5000,
  walBytes: 100,
  logBytes: 0,
};
const connected = { ...empty, redisBytes: 9000, databaseBytes: 6000, walBytes: 600 };
const after = {
  ...connected,
  redisBytes: 99_000,
  databaseBytes: 10_000,
  walBytes: 2600,
  logBytes: 3000,
};
const counts = { connections: 4, messages: 10 };

describe('storeCosts', () => {
  it('gives connections what connecting has added, messages the rest', () => {
    expect(storeCosts({ before: empty, connected, after }, counts)).toEqual({
      redisPerConnection: 2000,
      databasePerMessage: 400,
      walPerMessage: 200,
      logPerMessage: 300,
    });
  });

  it('does not know the log of another machine', () => {
    const there = { before: empty, connected: { ...connected, logBytes: null }, after };
    const costs = storeCosts(there, counts);
    expect(costs.logPerMessage).toBeNull();
    expect(storesText(costs)).toContain('unknown bytes of the log, 400 of tables');
  });
});
