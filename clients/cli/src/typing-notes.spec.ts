import type { TidingsClient } from '@tidings/sdk';
import { TypingNotes } from './typing-notes';

function setUp() {
  const world = { here: 'c' as string | undefined, writing: [] as string[], changes: 0 };
  const typed: boolean[] = [];
  let tell: (event: { conversationId: string }) => void = () => undefined;
  const client = {
    on: (_name: string, listener: typeof tell) => {
      tell = listener;
      return () => undefined;
    },
    typing: (_id: string, active: boolean) => void typed.push(active),
    typingIn: () => world.writing,
  } as unknown as TidingsClient;
  const people = { name: (id: string) => id };
  const notes = new TypingNotes(
    client,
    people,
    () => world.here,
    () => void world.changes++,
  );
  return { world, typed, notes, tell: (conversationId: string) => tell({ conversationId }) };
}

describe('TypingNotes', () => {
  it.each([
    [[], null],
    [['anna'], 'anna is typing…'],
    [['anna', 'bob'], 'anna and bob are typing…'],
    [['anna', 'bob', 'eve'], '3 people are typing…'],
  ])('%j: %j', (writing, line) => {
    const { world, notes } = setUp();
    world.writing = writing;
    expect(notes.line()).toBe(line);
    world.here = undefined;
    expect(notes.line()).toBeNull();
  });

  it('tells changes of the open chat only', () => {
    const { world, tell } = setUp();
    tell('other');
    tell('c');
    expect(world.changes).toBe(1);
  });

  it('says that this user types; commands are nobody’s business', () => {
    const { world, typed, notes } = setUp();
    for (const line of ['h', 'hi', '', '  ', '/help', '//slash']) notes.typed(line);
    world.here = undefined;
    notes.typed('hi');
    expect(typed).toEqual([true, true, false, false, false, true]);
  });
});
