import { conversationKey, directKey, StickyRefusals } from './sticky-refusals';

const A = conversationKey('a');
const B = conversationKey('b');

/** Plays sends against one connection; `fails` are refused with `busy` when they are judged. */
function play(steps: { key: string; id: string; fails?: boolean }[]): string[] {
  const sticky = new StickyRefusals();
  return steps.map(({ key, id, fails }) => {
    const stuck = sticky.check(key, id);
    if (stuck) return `stuck:${stuck}`;
    if (!fails) return 'judged';
    sticky.refused(key, id, 'busy');
    return 'refused';
  });
}

describe('StickyRefusals', () => {
  it.each([
    {
      name: 'later ids of the conversation are refused until a noted one comes again',
      steps: [
        { key: A, id: '1', fails: true },
        { key: A, id: '2' },
        { key: A, id: '3' },
        { key: A, id: '1' },
        { key: A, id: '2' },
        { key: A, id: '3' },
      ],
      outcome: ['refused', 'stuck:busy', 'stuck:busy', 'judged', 'judged', 'judged'],
    },
    {
      name: 'what the client gave up blocks nothing: any noted id ends it',
      steps: [
        { key: A, id: '1', fails: true },
        { key: A, id: '2' },
        { key: A, id: '2' },
        { key: A, id: '3' },
      ],
      outcome: ['refused', 'stuck:busy', 'judged', 'judged'],
    },
    {
      name: 'the first to come again may be refused again, and then it sticks anew',
      steps: [
        { key: A, id: '1', fails: true },
        { key: A, id: '2' },
        { key: A, id: '1', fails: true },
        { key: A, id: '2' },
        { key: A, id: '1' },
        { key: A, id: '2' },
      ],
      outcome: ['refused', 'stuck:busy', 'refused', 'stuck:busy', 'judged', 'judged'],
    },
    {
      name: 'other conversations are not touched',
      steps: [
        { key: A, id: '1', fails: true },
        { key: B, id: '2' },
        { key: A, id: '3' },
      ],
      outcome: ['refused', 'judged', 'stuck:busy'],
    },
    {
      name: 'a user whose conversation is not known is a key of its own',
      steps: [
        { key: directKey('u'), id: '1', fails: true },
        { key: directKey('u'), id: '2' },
        { key: conversationKey('u'), id: '3' },
      ],
      outcome: ['refused', 'stuck:busy', 'judged'],
    },
  ])('$name', ({ steps, outcome }) => {
    expect(play(steps)).toEqual(outcome);
  });

  it('repeats the code of the first refusal', () => {
    const sticky = new StickyRefusals();
    sticky.refused(A, '1', 'unavailable');
    sticky.refused(A, '2', 'busy');
    expect(sticky.check(A, '3')).toBe('unavailable');
  });

  it('says when too many conversations are refused to keep their order', () => {
    const sticky = new StickyRefusals();
    const taken = Array.from({ length: 1_001 }, (_, i) => sticky.refused(`c:${i}`, 'x', 'busy'));
    expect(taken.indexOf(false)).toBe(1_000);
  });

  it('is empty again when all refusals have ended', () => {
    const sticky = new StickyRefusals();
    sticky.refused(A, '1', 'busy');
    expect(sticky.empty).toBe(false);
    sticky.check(A, '1');
    expect(sticky.empty).toBe(true);
  });
});
