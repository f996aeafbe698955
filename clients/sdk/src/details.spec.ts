import type { Conversation } from '@tidings/protocol/http';
import { settle } from '../testing/fake-clock';
import { Details } from './details';

function bench() {
  const reads: { resolve: (c: Conversation) => void; reject: (e: Error) => void }[] = [];
  const renewed: (string | undefined)[] = [];
  const details = new Details(
    () => new Promise((resolve, reject) => reads.push({ resolve, reject })),
    (conversation) => renewed.push(conversation.title),
  );
  const answer = async (title: string): Promise<void> => {
    reads.at(-1)!.resolve({ id: 'c', title } as Conversation);
    await settle();
  };
  return { details, reads, renewed, answer };
}

describe('Details', () => {
  it('reads once for all who look, and keeps it', async () => {
    const { details, reads, answer } = bench();
    const both = [details.get('c'), details.get('c')];
    await answer('one');
    expect((await Promise.all(both)).map((c) => c.title)).toEqual(['one', 'one']);
    expect((await details.get('c')).title).toBe('one');
    expect(reads).toHaveLength(1);
  });

  it('reads again after an event, and once more for those that came meanwhile', async () => {
    const { details, reads, renewed, answer } = bench();
    void details.get('c');
    await answer('one');
    for (let i = 0; i < 3; i++) details.changed('c');
    expect(reads).toHaveLength(2);
    await answer('two');
    expect(reads).toHaveLength(3);
    await answer('three');
    expect(renewed).toEqual(['one', 'three']);
  });

  it('asks nothing about what nobody looks at, or may not look at any more', async () => {
    const { details, reads, renewed, answer } = bench();
    details.changed('c');
    expect(reads).toHaveLength(0);
    const looked = details.get('c');
    details.forget('c');
    await answer('one');
    expect((await looked).title).toBe('one');
    details.changed('c');
    expect([reads.length, renewed]).toEqual([1, []]);
  });

  it('a failed read is made up for by the next look', async () => {
    const { details, reads, answer } = bench();
    void details.get('c');
    await answer('one');
    details.changed('c');
    reads.at(-1)!.reject(new Error('away'));
    await settle();
    const next = details.get('c');
    await answer('two');
    expect((await next).title).toBe('two');
  });
});
