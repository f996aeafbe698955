import { Ledger } from './ledger';
import type { LedgerErrorType } from './ledger-report';

/** Two conversations: devices 0 and 1, devices 2 and 3. */
function ledger(): Ledger {
  return new Ledger(
    [
      [0, 1],
      [2, 3],
    ],
    10,
  );
}

/** Three messages in the first conversation, one in the second, everything right. */
function good(): Ledger {
  const l = ledger();
  const a = l.send(0);
  const b = l.send(1);
  const c = l.send(0);
  const d = l.send(2);
  [a, b, c].forEach((message, index) => {
    const position = 10 + index;
    l.ack(message, position);
    for (const device of [0, 1]) l.push(device, message, position, index === 0 ? 4 : position - 1);
    l.stored(message, position);
  });
  l.ack(d, 10);
  l.push(3, d, 10, 0);
  l.push(2, d, 10, 0);
  l.stored(d, 10);
  return l;
}

function errorsOf(l: Ledger): LedgerErrorType[] {
  return l.check({ storedKnown: true }).errors.map(({ type }) => type);
}

describe('Ledger', () => {
  it('passes a correct run', () => {
    expect(good().check({ storedKnown: true })).toEqual({
      valid: true,
      acknowledged: 4,
      unanswered: 0,
      duplicates: 0,
      unknownPrevious: 0,
      repaired: 0,
      errors: [],
    });
  });

  it('passes duplicates, which the merge removes, and counts them', () => {
    const l = good();
    // a second copy of message 0, appended again at 20
    l.push(0, 0, 20, 12);
    l.push(1, 0, 10, Number.NaN);
    const report = l.check({ storedKnown: true });
    expect(report).toMatchObject({ valid: true, duplicates: 2 });
  });

  it('passes an unknown previous, and counts it', () => {
    const l = ledger();
    const message = l.send(0);
    l.ack(message, 5);
    for (const device of [0, 1]) l.push(device, message, 5, Number.NaN);
    l.stored(message, 5);
    expect(l.check({ storedKnown: true })).toMatchObject({ valid: true, unknownPrevious: 2 });
  });

  it('takes other entries of the conversation as links', () => {
    const l = good();
    const message = l.send(0);
    l.ack(message, 20);
    for (const device of [0, 1]) {
      l.pushOther(device, 15, 12);
      l.push(device, message, 20, 15);
    }
    l.stored(message, 20);
    expect(l.check({ storedKnown: true }).valid).toBe(true);
  });

  it('counts what was not answered; where it was pushed is all the same', () => {
    const l = good();
    const message = l.send(0);
    l.push(1, message, 13, 12);
    expect(l.check({ storedKnown: true })).toMatchObject({ valid: true, unanswered: 1 });
  });

  it('lists what devices lack, and takes repairs', () => {
    const l = ledger();
    const message = l.send(0);
    l.ack(message, 5);
    l.push(0, message, 5, 4);
    l.stored(message, 5);
    expect([...l.missing()]).toEqual([[1, [message]]]);
    l.repair(1, message, 5);
    expect(l.check({ storedKnown: true })).toMatchObject({ valid: true, repaired: 1 });
  });

  const bad: [LedgerErrorType, (l: Ledger) => void][] = [
    ['lost', (l) => l.ack(l.send(3), 11)],
    [
      'not_stored',
      (l) => {
        const message = l.send(3);
        l.ack(message, 11);
        l.push(2, message, 11, 10);
        l.push(3, message, 11, 10);
      },
    ],
    ['stored_elsewhere', (l) => l.stored(0, 99)],
    ['ack_changed', (l) => l.ack(0, 99)],
    ['invented', (l) => l.invented('a stranger')],
    ['invented', (l) => l.push(2, 0, 10, 9)],
    ['invented', (l) => l.push(0, 9, 13, 12)],
  ];
  it.each(bad)('finds: %s', (type, spoil) => {
    const l = good();
    spoil(l);
    expect(errorsOf(l)).toContain(type);
  });

  /** One message of device 2, seen as given. */
  function one(ack: number, pushes: [number, number, number][], stored = ack): Ledger {
    const l = good();
    const message = l.send(2);
    l.ack(message, ack);
    l.stored(message, stored);
    for (const [device, position, previous] of pushes) l.push(device, message, position, previous);
    return l;
  }

  it.each<[LedgerErrorType, Ledger]>([
    [
      'position_mismatch',
      one(11, [
        [2, 11, 10],
        [3, 12, 10],
      ]),
    ],
    [
      'shared_position',
      one(10, [
        [2, 10, 0],
        [3, 10, 0],
      ]),
    ],
    [
      'push_order',
      one(9, [
        [2, 9, 0],
        [3, 9, 0],
      ]),
    ],
    [
      'sender_order',
      one(9, [
        [2, 9, 0],
        [3, 9, 0],
      ]),
    ],
    [
      'chain',
      one(12, [
        [2, 12, 11],
        [3, 12, 10],
      ]),
    ],
  ])('finds: %s', (type, l) => {
    expect(errorsOf(l)).toContain(type);
  });

  it('does not blame the order of a message that was sent again', () => {
    const l = good();
    l.sendAgain(0);
    const again = l.send(0);
    l.sendAgain(again);
    expect(errorsOf(l)).toEqual([]);
  });

  it('keeps eight examples and counts all', () => {
    const l = ledger();
    for (let i = 0; i < 10; i++) l.ack(l.send(0), 10 + i);
    const lost = l.check({ storedKnown: false }).errors.find(({ type }) => type === 'lost');
    expect(lost?.count).toBe(20);
    expect(lost?.examples).toHaveLength(8);
  });

  it('grows beyond the expected number of pushes', () => {
    const l = good();
    for (let i = 0; i < 1000; i++) l.push(0, 0, 10, 9);
    expect(l.check({ storedKnown: true }).duplicates).toBe(1000);
  });
});
