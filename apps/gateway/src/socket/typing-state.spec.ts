import { TYPING } from '@tidings/protocol/typing';
import { MAX_CONVERSATIONS, REPEAT_MS, TypingState } from './typing-state';

/** A state that has told of these conversations at 0. */
function telling(...ids: string[]): TypingState {
  const state = new TypingState();
  for (const id of ids) state.told(id, state.begins(id, 0)!);
  return state;
}

describe('TypingState', () => {
  it('takes a repetition only after a while', () => {
    const state = telling('c');
    expect(state.begins('c', REPEAT_MS - 1)).toBeNull();
    expect(state.begins('c', REPEAT_MS)).not.toBeNull();
    expect(state.begins('other', 1)).not.toBeNull();
  });

  it('tells the end once, and only of what was told and is not over by itself', () => {
    const state = telling('c');
    expect(state.ends('c', 1)).toBe(true);
    expect(state.ends('c', 1)).toBe(false);
    state.begins('c', 2);
    expect(state.ends('c', 3)).toBe(false);
    expect(telling('c').ends('c', TYPING.staleMs)).toBe(false);
  });

  it('does not tell what has ended, or begun anew, meanwhile', () => {
    const state = new TypingState();
    const noted = state.begins('c', 0)!;
    state.ends('c', 1);
    expect(state.told('c', noted)).toBe(false);
    const again = state.begins('c', 2)!;
    expect(state.told('c', noted)).toBe(false);
    state.refused('c', noted);
    expect(state.told('c', again)).toBe(true);
  });

  it('forgets what was refused, so that the next frame is judged anew', () => {
    const state = new TypingState();
    state.refused('c', state.begins('c', 0)!);
    expect(state.begins('c', 1)).not.toBeNull();
  });

  it('keeps so many conversations; the one that was not repeated longest goes', () => {
    const ids = Array.from({ length: MAX_CONVERSATIONS }, (_, i) => `c${i}`);
    const state = telling(...ids);
    state.told('c0', state.begins('c0', REPEAT_MS)!);
    state.told('new', state.begins('new', REPEAT_MS)!);
    expect(state.endAll(REPEAT_MS)).toEqual([...ids.slice(2), 'c0', 'new']);
    expect(state.endAll(REPEAT_MS)).toEqual([]);
  });
});
