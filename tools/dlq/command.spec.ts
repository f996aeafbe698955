import { DlqUsageError, readCommand } from './command';

describe('npm run dlq', () => {
  it.each([
    ['list', { do: 'list', all: false, max: 50 }],
    ['list --all --max 7', { do: 'list', all: true, max: 7 }],
    ['show t/0/1', { do: 'show', id: 't/0/1', whole: false }],
    ['show t/0/1 --whole', { do: 'show', id: 't/0/1', whole: true }],
    ['replay t/0/1 t/0/2', { do: 'replay', ids: ['t/0/1', 't/0/2'], anyway: false }],
    ['replay --all --anyway', { do: 'replay', ids: 'all', anyway: true }],
    ['drop t/0/1 --reason spam', { do: 'drop', ids: ['t/0/1'], reason: 'spam' }],
  ])('%s', (words, command) => {
    expect(readCommand(words.split(' '))).toEqual(command);
  });

  it.each([
    '',
    'nonsense',
    'list t/0/1',
    'list --max 0',
    'list --max many',
    'list --reason r',
    'show',
    'show a b',
    'show a --all',
    'replay',
    'replay a --all',
    'replay a --reason r',
    'drop --reason r',
    'drop a',
    'drop a --reason=',
    'list --unknown',
  ])('refuses %j', (words) => {
    expect(() => readCommand(words.split(' '))).toThrow(DlqUsageError);
  });
});
