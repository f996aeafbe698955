import type { ConversationChange } from '@tidings/sdk';
import { eventLine, eventUsers } from './event-lines';
import { COMMAND_NAMES, HELP } from './help';
import { lifetimeShort, lifetimeText, readLifetime } from './lifetime-text';
import { tickOf } from './message-lines';

describe('lifetimes in words', () => {
  it.each([
    [10, '10 seconds', '10s'],
    [60, '1 minute', '1m'],
    [5_400, '90 minutes', '90m'],
    [3_600, '1 hour', '1h'],
    [86_400, '1 day', '1d'],
    [14 * 86_400, '2 weeks', '2w'],
    [365 * 86_400, '365 days', '365d'],
  ])('%i is %s, in short %s', (seconds, text, short) => {
    expect([lifetimeText(seconds), lifetimeShort(seconds)]).toEqual([text, short]);
    expect(readLifetime(text)).toBe(seconds);
    expect(readLifetime(short)).toBe(seconds);
  });

  it.each([
    ['off', null],
    ['OFF ', null],
    ['never', null],
    ['30 S', 30],
    ['0s', undefined],
    ['-1h', undefined],
    ['1', undefined],
    ['1y', undefined],
    ['1.5h', undefined],
    ['9999999999s', undefined],
    ['soon', undefined],
    ['', undefined],
  ])('%j is read as %j', (text, seconds) => expect(readLifetime(text)).toBe(seconds));
});

describe('events in words', () => {
  const name = (id: string): string => (id === 'me' ? 'you' : id);
  const line = (event: ConversationChange, sender = 'ann') => eventLine(event, sender, name);

  it.each<[ConversationChange, string | null]>([
    [{ kind: 'created', conversationKind: 'direct', userIds: ['ann', 'me'] }, null],
    [
      { kind: 'created', conversationKind: 'group', userIds: ['ann'], title: 'Books' },
      'ann made this group: Books',
    ],
    [{ kind: 'title', title: 'a\u001b[2J\nb' }, 'ann named the group a␛[2J b'],
    [{ kind: 'ttl', messageTtlSeconds: 3600 }, 'ann set messages to disappear after 1 hour'],
    [{ kind: 'ttl', messageTtlSeconds: null }, 'ann set messages to stay from now on'],
    [{ kind: 'added', userIds: ['ben', 'me'], history: 'all' }, 'ann added ben, you'],
    [{ kind: 'removed', userIds: ['ben'] }, 'ann removed ben'],
    [{ kind: 'removed', userIds: ['ann'] }, 'ann left'],
    [{ kind: 'removed', userIds: ['ann'], owner: 'me' }, 'ann left; the owner now: you'],
    [{ kind: 'role', userId: 'ben', role: 'admin' }, 'ann made ben an admin'],
    [{ kind: 'role', userId: 'me', role: 'owner' }, 'ann made you the owner'],
    [{ kind: 'painted' } as never, '(painted)'],
  ])('%j', (event, text) => expect(line(event)).toBe(text));

  it('name the users that have to be known for it', () => {
    expect(eventUsers({ kind: 'removed', userIds: ['a'], owner: 'b' })).toEqual(['a', 'b']);
    expect(eventUsers({ kind: 'role', userId: 'a', role: 'admin' })).toEqual(['a']);
    expect(eventUsers({ kind: 'added', userIds: ['a', 'b'], history: 'all' })).toEqual(['a', 'b']);
    expect(eventUsers({ kind: 'title', title: 't' })).toEqual([]);
  });
});

it.each([
  [{ delivered: 0, read: 0, of: 0 }, '✓'],
  [{ delivered: 0, read: 0, of: 1 }, '✓'],
  [{ delivered: 1, read: 0, of: 1 }, '✓✓'],
  [{ delivered: 1, read: 1, of: 1 }, '✔✔'],
  [{ delivered: 3, read: 2, of: 4 }, '✓'],
  [{ delivered: 4, read: 3, of: 4 }, '✓✓'],
  [{ delivered: 4, read: 4, of: 4 }, '✔✔'],
])('what has come so far: %j has the tick %s', (marks, tick) => expect(tickOf(marks)).toBe(tick));

it('helps with every command there is', () => {
  const text = HELP.join('\n');
  const others = COMMAND_NAMES.filter((name) => name !== '/help');
  expect(others.filter((name) => !text.includes(name))).toEqual([]);
  const named = text.match(/\/[a-z]+/g)!.filter((name) => name !== '/text');
  expect(named.filter((name) => !COMMAND_NAMES.includes(name))).toEqual([]);
  expect(Math.max(...HELP.map((line) => line.length))).toBeLessThanOrEqual(80);
});
