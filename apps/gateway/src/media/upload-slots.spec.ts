import { TidingsError } from '@tidings/common/contracts/errors';
import { Turns, UploadSlots } from './upload-slots';

describe('UploadSlots', () => {
  it('has a limit per user and one for all, and gives slots back once', () => {
    const slots = new UploadSlots({ all: 3, perUser: 2 });
    const free = slots.take('a');
    slots.take('a');
    expect(() => slots.take('a')).toThrow(TidingsError);
    slots.take('b');
    expect(() => slots.take('c')).toThrow('Too many uploads');
    free();
    free();
    expect(slots.size).toBe(2);
    slots.take('c');
    expect(() => slots.take('b')).toThrow('Too many uploads');
  });
});

describe('Turns', () => {
  it('runs no more than allowed at a time, in order, also past failures', async () => {
    const turns = new Turns(2);
    const order: string[] = [];
    const ends: (() => void)[] = [];
    const work = (name: string, fails = false) =>
      turns.run(async () => {
        order.push(name);
        await new Promise<void>((end) => ends.push(end));
        if (fails) throw new Error(name);
        return name;
      });
    const all = Promise.allSettled([work('a', true), work('b'), work('c'), work('d')]);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await turn();
    expect(order).toEqual(['a', 'b']);
    ends[0]!();
    await turn();
    expect(order).toEqual(['a', 'b', 'c']);
    for (const i of [1, 2]) ends[i]!();
    await turn();
    ends[3]!();
    expect((await all).map((one) => one.status)).toEqual([
      'rejected',
      ...Array<string>(3).fill('fulfilled'),
    ]);
  });
});
