import { TidingsError } from '@tidings/protocol/errors';
import { AddressWindows } from './address-windows';
import { SharedAddresses } from './shared-addresses';
import { WrongTickets } from './wrong-tickets';

const LIMIT = 3;

function setUp() {
  const refused: string[] = [];
  const windows = new AddressWindows({
    shared: { count: () => Promise.reject(new Error('no Redis here')) },
    alone: () => undefined,
    refused: (rate) => void refused.push(rate),
    clock: () => 0,
  });
  const tickets = new WrongTickets(LIMIT, windows, new SharedAddresses(['10.0.0.9']));
  let asked = 0;
  const come = (address: string, code?: 'unauthorized' | 'unavailable'): Promise<string> =>
    tickets
      .bounded(address, () => {
        asked += 1;
        return code ? Promise.reject(new TidingsError(code)) : Promise.resolve('in');
      })
      .catch((error: unknown) => (error as TidingsError).code);
  return { come, refused, asked: () => asked };
}

describe('WrongTickets', () => {
  it('refuses an address after so many, and asks nobody about it', async () => {
    const { come, refused, asked } = setUp();
    for (let n = 0; n < LIMIT; n++) {
      expect(await come('10.0.0.1', 'unauthorized')).toBe('unauthorized');
    }
    expect(await come('10.0.0.1', 'unauthorized')).toBe('rate_limited');
    expect([asked(), refused]).toEqual([LIMIT, ['request']]);
    expect(await come('10.0.0.2')).toBe('in');
  });

  it('counts none that is good, none that nobody could judge, and no shared address', async () => {
    const { come } = setUp();
    for (let n = 0; n <= LIMIT; n++) {
      expect(await come('10.0.0.1')).toBe('in');
      expect(await come('10.0.0.1', 'unavailable')).toBe('unavailable');
      expect(await come('10.0.0.9', 'unauthorized')).toBe('unauthorized');
    }
  });
});
