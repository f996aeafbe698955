import { TidingsError } from '@tidings/protocol/errors';
import { Slots } from './slots';

const refused = (take: () => unknown): string | null => {
  try {
    take();
    return null;
  } catch (error) {
    return error instanceof TidingsError ? error.code : String(error);
  }
};

describe('Slots', () => {
  it('has a limit per user and one for all, and gives slots back once', () => {
    const slots = new Slots('uploads', { all: 3, perUser: 2 });
    const first = slots.take({ userId: 'a' });
    slots.take({ userId: 'a' });
    expect(refused(() => slots.take({ userId: 'a' }))).toBe('busy');
    slots.take({ userId: 'b' });
    expect(refused(() => slots.take({ userId: 'c' }))).toBe('busy');
    first.free();
    first.free();
    expect(slots.size).toBe(2);
    slots.take({ userId: 'c' });
    expect(refused(() => slots.take({ userId: 'b' }))).toBe('busy');
  });

  it('has a limit per address, whoever the users are; an unknown address has none', () => {
    const slots = new Slots('uploads', { all: 9, perUser: 9, perAddress: 2 });
    for (const userId of ['a', 'b']) slots.take({ userId, network: '::1' });
    expect(refused(() => slots.take({ userId: 'c', network: '::1' }))).toBe('busy');
    slots.take({ userId: 'c', network: '::2' });
    for (let i = 0; i < 3; i++) slots.take({ userId: 'd' });
  });

  it('takes the place of the oldest slow one when all are taken, never that of another', () => {
    const slots = new Slots('uploads', { all: 3, perUser: 3 });
    const cut: string[] = [];
    const held = (name: string, slow: boolean): void =>
      slots.take({ userId: 'a' }).yielding({ slow: () => slow, cut: () => cut.push(name) });
    held('fast', false);
    held('slow', true);
    held('slow, too', true);
    slots.take({ userId: 'b' });
    expect(cut).toEqual(['slow']);
    slots.take({ userId: 'b' });
    expect(cut).toEqual(['slow', 'slow, too']);
    expect(refused(() => slots.take({ userId: 'b' }))).toBe('busy');
    expect([slots.size, slots.taken]).toEqual([3, 2]);
  });

  it('takes none away for a user who holds as many as one may', () => {
    const slots = new Slots('uploads', { all: 4, perUser: 2 });
    for (let i = 0; i < 2; i++) {
      slots.take({ userId: 'a' }).yielding({ slow: () => true, cut: fail });
    }
    expect(refused(() => slots.take({ userId: 'a' }))).toBe('busy');
  });

  it('leaves one alone that yields no longer', () => {
    const slots = new Slots('uploads', { all: 1, perUser: 1 });
    const slot = slots.take({ userId: 'a' });
    slot.yielding({ slow: () => true, cut: fail });
    slot.yielding(null);
    expect(refused(() => slots.take({ userId: 'b' }))).toBe('busy');
  });
});

function fail(): never {
  throw new Error('was cut');
}
