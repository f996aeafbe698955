import { readTail } from './kafka-tail';

const NOW = Date.parse('2026-11-25T10:00:00Z');
const ALL = { topic: 'x', key: null, from: null, max: Infinity };

describe('npm run kafka -- tail', () => {
  it.each([
    ['x', ALL],
    ['x --from-beginning --max 3', { ...ALL, from: 'beginning', max: 3 }],
    ['x --key k', { ...ALL, key: 'k' }],
    ['x --key -k --max 3', { ...ALL, key: '-k', max: 3 }],
    ['--key --k x', { ...ALL, key: '--k' }],
    ['x --from-time 2026-11-25T09:00:00Z', { ...ALL, from: NOW - 3_600_000 }],
    ['x --from-time 90s', { ...ALL, from: NOW - 90_000 }],
    ['x --from-time 15m', { ...ALL, from: NOW - 900_000 }],
    ['x --from-time 2h', { ...ALL, from: NOW - 7_200_000 }],
    ['x --from-time 1d', { ...ALL, from: NOW - 86_400_000 }],
  ])('%s', (words, expected) => {
    expect(readTail(words.split(' '), NOW)).toEqual(expected);
  });

  it.each([
    '--max 3',
    'x y',
    'x --bad',
    'x --key',
    'x --key --max 3',
    'x --max 0',
    'x --max many',
    'x --from-time yesterday',
    'x --from-time 1m --from-beginning',
  ])('refuses %j', (words) => {
    expect(() => readTail(words.split(' '), NOW)).toThrow();
  });
});
