import { countsFrom } from './start';

describe('npm start', () => {
  it('takes numbers of instances', () => {
    expect(countsFrom([])).toEqual({});
    expect(countsFrom(['--gateways', '3', '--storages=2'])).toEqual({ gateway: 3, storage: 2 });
  });

  it.each([
    [['--gateways', '0']],
    [['--gateways', 'x']],
    [['--sessions', '10']],
    [['--more']],
    [['x']],
  ])('refuses %j with the usage', (args) => {
    expect(() => countsFrom(args)).toThrow(/Usage: npm start/);
  });
});
