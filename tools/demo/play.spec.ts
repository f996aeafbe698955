import { join } from 'node:path';
import type { Message } from '@tidings/sdk';
import { difference } from './performance';
import { parsePlay, readPlay } from './play';

describe('the play of the demo', () => {
  const lines = readPlay(join(__dirname, 'earnest.txt'));

  it('has some hundred lines for two users, none too long for a message', () => {
    expect(lines.length).toBeGreaterThanOrEqual(200);
    expect(lines.filter((l) => l.role === 'second').length).toBeGreaterThan(80);
    expect(lines.every((l) => Buffer.byteLength(l.text) < 2_000)).toBe(true);
  });

  it('needs a speaker on every line', () => {
    expect(parsePlay('# remark\n\nJACK. Nothing!\n')).toEqual([
      { role: 'second', speaker: 'JACK', text: 'JACK. Nothing!' },
    ]);
    expect(() => parsePlay('nobody says this')).toThrow('No speaker');
  });
});

describe('comparing what is held with what was typed', () => {
  const lines = parsePlay('ALGERNON. One\nJACK. Two\nJACK. Three');
  const userIds = { first: 'a', second: 'b' };
  const typed = ['1', '2', '3'];
  const held = (...ids: string[]): Message[] =>
    ids.map((messageId) => {
      const line = lines[Number(messageId) - 1]!;
      return {
        conversationId: 'c',
        position: messageId,
        messageId,
        senderId: userIds[line.role],
        content: { kind: 'text', text: line.text },
        sentAt: '',
        version: '0',
      };
    });

  it.each([
    [['1', '2', '3'], null],
    [['1', '3', '2'], 'line 2 differs'],
    [['1', '2'], 'line 3 is missing'],
    [['1', '2', '3', '3'], '1 lines too many'],
  ])('%j → %s', (ids, expected) => {
    expect(difference(lines, typed, userIds, held(...ids))).toBe(expected);
  });

  it('notices another sender', () => {
    const wrong = held('1', '2', '3').map((m) => ({ ...m, senderId: 'a' }));
    expect(difference(lines, typed, userIds, wrong)).toBe('line 2 has another sender');
  });
});
