import { ConversationModel } from './conversation-model';
import type { Message } from '@tidings/protocol/content';
import { CONVERSATION, id, message, served } from '../testing/factories';

const positions = (messages: Message[]): number[] => messages.map((m) => Number(m.position));

describe('a conversation as the client holds it', () => {
  let model: ConversationModel;
  const push = (position: number, previous: number | null, more: Partial<Message> = {}) =>
    model.push({
      message: message(position, more),
      at: String(position),
      previous: previous === null ? null : String(previous),
    });

  beforeEach(() => {
    model = new ConversationModel(CONVERSATION);
  });

  it('is unknown until it is served, or pushed from its first record on', () => {
    expect(model.known).toBe(false);
    push(5, 3);
    expect(model.known).toBe(false);
    expect(model.gap).toBe(true);
    push(3, 0);
    expect(model.known).toBe(true);
    expect(model.have).toBe('5');
    expect(model.hasOlder).toBe(false);
  });

  it('raises have over entries in a row and keeps others aside, shown nevertheless', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(12, 10);
    expect(model.have).toBe('12');
    push(20, 15);
    expect(model.have).toBe('12');
    expect(model.gap).toBe(true);
    expect(positions(model.messages())).toEqual([10, 12, 20]);
    push(15, 12);
    expect(model.have).toBe('20');
    expect(model.gap).toBe(false);
    expect(positions(model.messages())).toEqual([10, 12, 15, 20]);
  });

  it('takes previous = null as following, in a known conversation', () => {
    push(5, null);
    expect(model.known).toBe(false);
    model.serve(served('behind', 6, [message(4), message(5)]), '0');
    push(9, null);
    expect(model.have).toBe('9');
  });

  it('trusts previous = null only when the connection has synced', () => {
    model.serve(served('new', 10, [message(10)]), null);
    model.trustUnknown = false;
    push(20, null);
    expect(model.have).toBe('10');
    model.serve(served('behind', 15, [message(15)]), '10');
    expect(model.have).toBe('15');
    model.trustUnknown = true;
    expect(model.have).toBe('20');
  });

  it('tries entries kept aside again when a sync raises have', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(14, 13);
    push(17, 14);
    model.serve(served('behind', 13, [message(11), message(13)]), '10');
    expect(model.have).toBe('17');
    expect(model.gap).toBe(false);
  });

  it('merges copies by id: the lower position wins', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(15, 10, { messageId: id(1) });
    push(18, 15, { messageId: id(1) });
    expect(positions(model.messages())).toEqual([10, 15]);
    expect(model.have).toBe('18');
    const changes = push(12, 10, { messageId: id(1) });
    expect(changes).toEqual([
      { kind: 'changed', message: expect.objectContaining({ position: '12' }) },
    ]);
    expect(positions(model.messages())).toEqual([10, 12]);
  });

  it('takes changes by the highest version, whatever comes first', () => {
    model.serve(served('new', 10, [message(10)]), null);
    const edited = message(10, { version: '14', content: { kind: 'text', text: 'edited' } });
    const older = message(10, { version: '12', content: { kind: 'text', text: 'older' } });
    model.push({ message: edited, at: '14', previous: '12' });
    expect(model.gap).toBe(true);
    model.push({ message: older, at: '12', previous: '10' });
    expect(model.have).toBe('14');
    expect(model.messages()[0]!.content).toEqual({ kind: 'text', text: 'edited' });
  });

  it('a deletion is final, the first one counts, whatever comes first', () => {
    const gone = (version: string) =>
      message(10, { version, content: { kind: 'deleted' }, deleted: true });
    const edited = message(10, { version: '16', content: { kind: 'text', text: 'late' } });
    const copies = [message(10), gone('14'), edited, gone('18')];
    for (const order of [copies, [...copies].reverse(), [edited, gone('18'), gone('14')]]) {
      const one = new ConversationModel(CONVERSATION);
      one.serve(served('new', 9, []), null);
      for (const m of order) {
        one.push({ message: m, at: m.version === '0' ? m.position : m.version, previous: '10' });
      }
      expect(one.message(message(10).messageId)).toEqual(gone('14'));
    }
  });

  it('keeps a change of a message that it lacks, and shows it when its neighbours are there', () => {
    model.serve(served('new', 10, [message(10)]), null);
    const edited = message(12, { version: '20' });
    model.push({ message: edited, at: '20', previous: '18' });
    expect(positions(model.messages())).toEqual([10]);
    model.serve(served('behind', 20, [message(12), message(18)]), '10');
    expect(positions(model.messages())).toEqual([10, 12, 18]);
    expect(model.message(id(12))!.version).toBe('20');
  });

  it('shows the newest run only, when a sync left older messages out', () => {
    model.serve(served('new', 10, [message(9), message(10)]), null);
    model.serve(served('behind', 50, [message(45), message(50)], true), '10');
    expect(positions(model.messages())).toEqual([45, 50]);
    expect(model.have).toBe('50');
    expect(model.oldest).toBe('45');
    model.page([message(20), message(30)], { before: '45' }, true);
    expect(positions(model.messages())).toEqual([20, 30, 45, 50]);
    model.page([message(5), message(9), message(10), message(15)], { before: '20' }, true);
    expect(positions(model.messages())).toEqual([5, 9, 10, 15, 20, 30, 45, 50]);
    expect(model.hasOlder).toBe(false);
  });

  it('does not vouch for older runs when it is served as to a new device', () => {
    push(1, 0);
    model.connected();
    model.serve(served('new', 9, [message(8), message(9)], true), null);
    expect(model.runs()).toEqual([{ from: '8', to: '9' }]);
    model.page([message(1, { version: '5' })], { before: '8' }, false);
    expect(model.messages().map((m) => m.version)).toEqual(['5', '0', '0']);
  });

  it('vouches for what the same connection has pushed before it was served as new', () => {
    model.connected();
    push(1, 0);
    push(5, 1);
    model.serve(served('new', 5, [message(5)], true), null);
    expect(model.runs()).toEqual([{ from: '0', to: '5' }]);
    expect(positions(model.messages())).toEqual([1, 5]);
  });

  it('sees no hole behind `more` when pushes have filled it meanwhile', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(20, 10);
    push(30, 20);
    model.serve(served('behind', 30, [message(30)], true), '10');
    expect(positions(model.messages())).toEqual([10, 20, 30]);
    expect(model.hasOlder).toBe(false);
  });

  it('does not take changed old messages of an unlisted conversation for the newest ones', () => {
    model.serve(served('new', 100, [message(10), message(100)]), null);
    const changed = message(10, { version: '120' });
    model.serve(served('behind', 150, [changed, message(140), message(150)], true), null);
    expect(positions(model.messages())).toEqual([140, 150]);
  });

  it('drops the local copy at reset, but not what was pushed above the answer', () => {
    model.serve(served('new', 10, [message(8), message(10)]), null);
    push(12, 10);
    push(20, 12);
    model.serve(served('reset', 15, [message(9), message(15)]), '10');
    expect(positions(model.messages())).toEqual([9, 15, 20]);
    expect(model.have).toBe('20');
  });

  it('shows all of a reset, also what was changed below the position it asked from', () => {
    model.serve(served('new', 10, [message(8), message(10)]), null);
    const newest = [message(9, { version: '14' }), message(10, { version: '15' })];
    model.serve(served('reset', 15, newest, true), '10');
    expect(model.messages()).toEqual(newest);
    expect([model.have, model.oldest]).toEqual(['15', '9']);
  });

  it('does not lower have when a delayed answer ends below it', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(30, 10);
    model.serve(served('same', 20), '30');
    expect(model.have).toBe('30');
    expect(model.runs()).toEqual([{ from: '0', to: '30' }]);
  });

  it('keeps its copy when the user is no member any more, and has no gap then', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(30, 20);
    model.serve(served('gone', 10), '10');
    expect(model.gone).toBe(true);
    expect(model.gap).toBe(false);
    expect(positions(model.messages())).toContain(10);
  });

  it('passes over what is pushed late of a membership that the server does not show any more', () => {
    model.serve(served('reset', 20, [message(20)]), '5');
    push(8, 5);
    const edited = message(6, { version: '9', content: { kind: 'text', text: 'edited' } });
    model.push({ message: edited, at: '9', previous: '8' });
    const added = message(12);
    model.push({ message: added, at: '12', previous: '9', begins: 'joined' });
    model.leave('11');
    expect([model.gone, model.gap, model.have]).toEqual([false, false, '20']);
    expect(positions(model.messages())).toEqual([20]);
    push(21, 20);
    expect(positions(model.messages())).toEqual([20, 21]);
    model.leave('22');
    expect(model.gone).toBe(true);
  });

  it('drops with its copy what it held beyond the end of the conversation', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(12, 10);
    model.serve(served('reset', 10, [message(10)]), '12');
    expect(positions(model.messages())).toEqual([10]);
    expect(model.have).toBe('12');
  });

  describe('of a user who is added again', () => {
    const join = (position: number, previous: number | null, begins: 'joined' | 'all') =>
      model.push({
        message: message(position),
        at: String(position),
        previous: previous === null ? null : String(previous),
        begins,
      });

    beforeEach(() => {
      model.serve(served('new', 10, [message(9), message(10)]), null);
      push(12, 10);
      model.leave('12');
    });

    it('begins anew with the entry that adds him, where he sees nothing older', () => {
      join(20, 18, 'joined');
      expect([model.gone, model.gap, model.hasOlder, model.have]).toEqual([
        false,
        false,
        false,
        '20',
      ]);
      expect(positions(model.messages())).toEqual([20]);
      model.serve(served('behind', 12, [message(11)]), '10');
      model.serve(served('gone', 12), '10');
      expect([model.gone, positions(model.messages())]).toEqual([false, [20]]);
    });

    it('keeps its copy where he sees everything, and asks for what came meanwhile', () => {
      join(20, null, 'all');
      expect([model.gone, model.gap, model.have]).toEqual([false, true, '12']);
      model.serve(served('behind', 20, [message(15), message(20)]), '12');
      expect(positions(model.messages())).toEqual([9, 10, 12, 15, 20]);
    });

    it('drops its copy when he learns of it by a sync, or by a later entry', () => {
      push(21, 20);
      expect([model.gone, model.gap]).toEqual([false, true]);
      model.serve(served('new', 21, [message(21)], true), null);
      model.page([message(20)], { before: '21' }, false);
      expect(positions(model.messages())).toEqual([20, 21]);
      expect(model.message(id(9))).toBeUndefined();
    });

    it('is not brought back by what came before he was removed', () => {
      push(11, 10);
      model.serve(served('behind', 11, [message(11)]), '10');
      expect(model.gone).toBe(true);
    });
  });

  it('drops what is older than the first message that there is', () => {
    model.serve(served('new', 20, [message(19), message(20)], true), null);
    push(5, 4);
    model.page([message(18)], { before: '19' }, false);
    expect(positions(model.messages())).toEqual([18, 19, 20]);
  });

  it('takes from a push what `sent` does not tell', () => {
    model.serve(served('new', 10, [message(10)]), null);
    model.sent(message(12));
    const expiresAt = '2026-01-01T00:00:10.000Z';
    expect(push(12, 10, { expiresAt })).toMatchObject([
      { kind: 'changed', message: { expiresAt } },
    ]);
    model.sent(message(12));
    expect(model.messages().at(-1)).toMatchObject({ expiresAt });
    expect(push(12, 10, { expiresAt })).toEqual([]);
  });

  it('keeps what a copy told when `sent` names the first place', () => {
    model.serve(served('new', 10, [message(10)]), null);
    push(15, 10, { messageId: id(1), expiresAt: '2026-01-01T00:00:10.000Z' });
    model.sent(message(12, { messageId: id(1) }));
    expect(model.messages().at(-1)).toMatchObject({
      position: '12',
      expiresAt: '2026-01-01T00:00:10.000Z',
    });
  });

  it('drops a message that turned out to be void', () => {
    model.serve(served('new', 10, [message(10)]), null);
    model.sent(message(12));
    model.drop(id(12));
    expect(positions(model.messages())).toEqual([10]);
  });

  it('never raises have by a page of the history', () => {
    model.serve(served('new', 10, [message(10)]), null);
    model.page([message(10), message(11), message(12)], {}, true);
    expect(model.have).toBe('10');
    push(13, 12);
    expect(model.gap).toBe(true);
  });
});

describe('digest of what is held', () => {
  const run = (n: number): Message[] => Array.from({ length: n }, (_, i) => message(10 + i));
  const asOf = Date.parse('2026-06-01T00:00:00Z');

  it.each([
    ['everything, fewer than ten', served('new', 12, run(3)), null, 3],
    ['everything, more than ten', served('new', 21, run(12)), null, 10],
    ['a run of ten with older ones missing', served('behind', 19, run(10), true), '5', 10],
    ['a short run with older ones missing', served('behind', 18, run(9), true), '5', null],
    ['nothing at all', served('new', 7), null, 0],
  ])('%s', (_, answer, asked, expected) => {
    const model = new ConversationModel(CONVERSATION);
    model.serve(answer, asked);
    expect(model.digestEntries(asOf)?.length ?? null).toBe(expected);
  });

  it('leaves out what lies above have or has expired', () => {
    const model = new ConversationModel(CONVERSATION);
    const expired = message(11, { expiresAt: '2026-05-31T00:00:00Z' });
    const living = message(12, { expiresAt: '2026-06-02T00:00:00Z' });
    model.serve(served('new', 12, [message(10), expired, living]), null);
    model.push({ message: message(20), at: '20', previous: '15' });
    expect(model.digestEntries(asOf)!.map((m) => m.position)).toEqual(['10', '12']);
  });

  it('is left out when a change above have is known', () => {
    const model = new ConversationModel(CONVERSATION);
    model.serve(served('new', 12, [message(10)]), null);
    model.push({ message: message(10, { version: '20' }), at: '20', previous: '15' });
    expect(model.digestEntries(asOf)).toBeNull();
  });

  it('is unknown for a conversation that was never served', () => {
    expect(new ConversationModel(CONVERSATION).digestEntries(asOf)).toBeNull();
  });
});
