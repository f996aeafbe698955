import { addressesOf, type Instance } from './addresses';

const SETTINGS = ['http://a', 'http://b'];
const ready = (url: string): Instance => ({ url, state: 'ready' });
const joining = (url: string): Instance => ({ url, state: 'joining' });
const draining = (url: string): Instance => ({ url, state: 'draining' });

describe('whom a call may go to', () => {
  it.each<[string, Instance[], string[], string[]]>([
    ['nobody is listed', [], ['http://a', 'http://b'], []],
    ['one is ready that no setting names', [ready('http://c')], ['http://c'], SETTINGS],
    ['all are ready', [ready('http://a'), ready('http://b')], ['http://a', 'http://b'], []],
    ['one joins', [ready('http://a'), joining('http://b')], ['http://a'], ['http://b']],
    ['nobody is ready', [joining('http://a'), draining('http://b')], ['http://a'], []],
    ['one drains', [ready('http://a'), draining('http://b')], ['http://a'], []],
    ['one drains, the other is gone', [draining('http://a')], ['http://b'], []],
    ['the last drains', [draining('http://a'), draining('http://b')], ['http://a', 'http://b'], []],
    ['an address ends in a slash', [ready('http://a/'), ready('http://b')], SETTINGS, []],
  ])('when %s', (_, instances, turns, rest) => {
    expect(addressesOf(SETTINGS, { known: true, instances })).toEqual({ turns, rest });
  });

  it('without Redis: the settings, and who was ready before', () => {
    const instances = [ready('http://b'), ready('http://c'), draining('http://d')];
    expect(addressesOf(SETTINGS, { known: false, instances })).toEqual({
      turns: ['http://a', 'http://b', 'http://c'],
      rest: [],
    });
  });
});
