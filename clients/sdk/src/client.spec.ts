import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { LIMITS } from '@tidings/protocol/limits';
import { uuidV7Time } from '@tidings/protocol/ids';
import { ClientBench } from '../testing/client-bench';
import { settle } from '../testing/fake-clock';
import { CONVERSATION, id, ME, message, PEER, served, welcome } from '../testing/factories';
import { FakePage } from '../testing/fake-page';
import { JOINED_MS } from './activity';
import { StoppedError } from './errors';

const SENT_AT = '2026-01-01T00:00:00.000Z';

describe('client', () => {
  let bench: ClientBench;
  beforeEach(() => {
    bench = new ClientBench();
  });
  afterEach(async () => {
    await bench.client.stop();
    expect(bench.clock.pending).toBe(0);
  });

  it('makes ids from the time of the server', async () => {
    await bench.online('2030-01-01T00:00:00.000Z');
    const { messageId } = bench.client.send({ to: PEER, text: 'x' });
    expect(uuidV7Time(messageId)).toBe(Date.parse('2030-01-01T00:00:00.000Z'));
  });

  it('tells which gateways the server has named', async () => {
    const named: string[][] = [];
    bench.client.on('gateways', ({ gateways }) => named.push(gateways.map(({ id }) => id)));
    await bench.online();
    expect(named).toEqual([['g1', 'g2']]);
  });

  it.each(['sent', 'own push', 'sync'])('takes the id back from %s', async (how) => {
    await bench.online();
    const outgoing = bench.client.send({ conversationId: CONVERSATION, text: 'hello' });
    const { messageId } = outgoing;
    expect(outgoing.state).toBe('sending');
    const own = message(7, { messageId, senderId: ME });
    if (how === 'sent') {
      const place = { conversationId: CONVERSATION, position: '7', sentAt: SENT_AT };
      bench.socket.receive({ type: 'sent', messageId, ...place });
    } else if (how === 'own push') {
      bench.socket.receive({ type: 'message', ...own, previous: '0' });
    } else {
      bench.answer({ conversations: [served('new', 7, [own])] });
    }
    expect(await outgoing.settled()).toMatchObject({ state: 'sent', place: { position: '7' } });
    expect(bench.client.unsent).toEqual([]);
    expect(bench.store.load()).toEqual([]);
  });

  it('drops a sent message whose id turns out to be taken', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 5, [message(5)])] });
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, text: 'hello' });
    const place = { conversationId: CONVERSATION, position: '7', sentAt: SENT_AT };
    bench.socket.receive({ type: 'sent', messageId, ...place });
    expect(bench.client.messages(CONVERSATION)).toHaveLength(2);
    const error = { type: 'error', code: 'message_id_conflict', detail: 'd', retryable: false };
    bench.socket.receive({ ...error, messageId });
    expect(bench.client.messages(CONVERSATION)).toHaveLength(1);
    expect(bench.log).toContain('failed message_id_conflict void');
  });

  it.each([
    ['exactly the limit', 'é'.repeat(LIMITS.textBytes / 2), null],
    ['one byte more', 'é'.repeat(LIMITS.textBytes / 2) + 'x', 'text_too_long'],
    ['NUL', 'a\u0000', 'invalid_request'],
    ['a lone surrogate', 'a\ud800', 'invalid_request'],
    [
      'a frame that gets too large',
      'x' + '\u0001'.repeat(LIMITS.textBytes - 1),
      'payload_too_large',
    ],
  ])('text with %s', async (_, text, code) => {
    await bench.online();
    const send = () => bench.client.send({ to: PEER, text });
    if (code === null) expect(send().state).toBe('sending');
    else expect(send).toThrow(expect.objectContaining({ code }));
  });

  it('sends what a message carries, and keeps it with its place', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    const extras = { replyTo: id(9), mentions: [PEER], meta: { a: 1 } };
    const content = { kind: 'custom', data: [1] } as const;
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, content, ...extras });
    const [frame] = bench.socket.frames('send');
    expect(frame).toMatchObject({ messageId, content, ...extras });
    const place = { conversationId: CONVERSATION, position: '12', sentAt: SENT_AT };
    bench.socket.receive({ type: 'sent', messageId, ...place });
    expect(bench.client.messages(CONVERSATION).at(-1)).toMatchObject({ content, ...extras });
    const tooLarge = () =>
      bench.client.send({ to: PEER, text: 'x', meta: 'y'.repeat(LIMITS.metaBytes - 1) });
    expect(tooLarge).toThrow(expect.objectContaining({ code: 'payload_too_large' }));
  });

  it('an answer about a change of somebody who has left makes no member of them', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    const edit = bench.client.edit({ conversationId: CONVERSATION, messageId: id(9), text: 'new' });
    await settle();
    const [{ changeId } = {}] = bench.socket.frames<{ changeId: string }>('edit');
    bench.client.conversation(CONVERSATION)!.leave('10');
    const after = message(9, { version: '12', content: { kind: 'text', text: 'new' } });
    bench.socket.receive({ type: 'changed', ...after, changeId, previous: null, hidden: true });
    expect(await edit).toEqual(after);
    expect(bench.client.conversation(CONVERSATION)!.gone).toBe(true);
    expect(bench.client.pendingChanges).toBe(0);
  });

  it('edits and deletes, and settles with what comes back', async () => {
    await bench.online();
    bench.answer({ conversations: [served('new', 9, [message(9)])] });
    const place = { conversationId: CONVERSATION, messageId: id(9) };
    const edit = bench.client.edit({ ...place, text: 'better' });
    await settle();
    const [asked] = bench.socket.frames<{ changeId: string }>('edit');
    expect(asked).toMatchObject({ ...place, content: { kind: 'text', text: 'better' } });
    const after = message(9, { version: '12', content: { kind: 'text', text: 'better' } });
    const { changeId } = asked!;
    bench.socket.receive({ type: 'changed', ...after, changeId, previous: '9' });
    expect(await edit).toEqual(after);
    expect(bench.client.messages(CONVERSATION)).toEqual([after]);
    expect(bench.client.conversation(CONVERSATION)!.have).toBe('12');
    const gone = bench.client.deleteMessage(place);
    await settle();
    const ref = bench.socket.frames<{ changeId: string }>('delete')[0]!.changeId;
    bench.socket.receive({ type: 'error', ref, code: 'not_allowed', detail: '', retryable: false });
    await expect(gone).rejects.toMatchObject({ code: 'not_allowed' });
    const late = bench.client.deleteMessage(place);
    await settle();
    await bench.client.stop();
    await expect(late).rejects.toThrow(StoppedError);
    await expect(bench.client.deleteMessage(place)).rejects.toThrow(StoppedError);
  });

  it('changes a message only when it is in the log', async () => {
    await bench.online();
    bench.answer();
    const { messageId } = bench.client.send({ conversationId: CONVERSATION, text: 'x' });
    const place = { conversationId: CONVERSATION, messageId };
    const edit = bench.client.edit({ ...place, text: 'y' });
    await settle();
    expect(bench.socket.frames('edit')).toEqual([]);
    bench.socket.receive({ type: 'sent', ...place, position: '12', sentAt: SENT_AT });
    await settle();
    expect(bench.socket.frames('edit')).toHaveLength(1);
    await expect(bench.client.edit({ ...place, text: 'a\u0000' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
    edit.catch(() => undefined);
  });

  it('keeps what is written offline, and settles it as stopped at the end', async () => {
    await bench.client.start();
    const outgoing = bench.client.send({ to: PEER, text: 'later' });
    expect(outgoing.state).toBe('waiting');
    const settled = outgoing.settled();
    const synced = bench.client.whenSynced();
    await bench.client.stop();
    expect(await settled).toEqual({ state: 'stopped' });
    await expect(synced).rejects.toThrow(StoppedError);
    expect(bench.store.load()).toHaveLength(1);
    expect(() => bench.client.send({ to: PEER, text: 'x' })).toThrow(StoppedError);
    await expect(bench.client.start()).rejects.toThrow(StoppedError);
  });

  it('takes up the changes that an earlier run left, and tells which were refused', async () => {
    const content = { kind: 'text', text: 'better' } as const;
    const failed: unknown[] = [];
    bench.client.on('changeFailed', (event) => failed.push(event));
    const place = { conversationId: CONVERSATION, messageId: id(9) };
    await bench.store.changes.add({ changeId: id(70), ...place, content });
    await bench.store.changes.add({ changeId: id(71), ...place, content: null });
    // Its message was sent, but by whom it was asked for did not live to see where.
    await bench.store.changes.add({ changeId: id(72), messageId: id(8), content: null });
    await bench.online();
    expect(bench.client.pendingChanges).toBe(2);
    expect(bench.socket.frames('edit')).toEqual([
      { type: 'edit', changeId: id(70), ...place, content },
    ]);
    const refusal = { type: 'error', code: 'not_allowed', detail: 'why', retryable: false };
    bench.socket.receive({ ...refusal, ref: id(70) });
    const after = message(9, { version: '12', deleted: true, content: { kind: 'deleted' } });
    bench.socket.receive({ type: 'changed', ...after, changeId: id(71), previous: '9' });
    await settle();
    expect(failed).toEqual([
      expect.objectContaining({ messageId: id(8), code: 'not_found' }),
      { ...place, code: 'not_allowed', detail: 'why' },
    ]);
    expect(bench.client.pendingChanges).toBe(0);
    expect(bench.store.changes.load()).toEqual([]);
  });

  it('keeps a change of what is not sent yet, and where it is as soon as that is known', async () => {
    await bench.online();
    bench.answer();
    const { messageId } = bench.client.send({ to: PEER, text: 'x' });
    bench.client.edit({ messageId, text: 'y' }).catch(() => undefined);
    const content = { kind: 'text', text: 'y' };
    const kept = expect.objectContaining({ messageId, content }) as object;
    expect(bench.store.changes.load()).toEqual([kept]);
    const place = { conversationId: CONVERSATION, position: '12', sentAt: SENT_AT };
    bench.socket.receive({ type: 'sent', messageId, ...place });
    await settle();
    const [frame] = bench.socket.frames<{ changeId: string }>('edit');
    const { changeId } = frame!;
    expect(frame).toMatchObject({ messageId, conversationId: CONVERSATION, content });
    const where = { messageId, conversationId: CONVERSATION };
    expect(bench.store.changes.load()).toEqual([{ changeId, ...where, content }]);
    // It ends without an answer: the next one asks again.
    await bench.client.stop();
    expect(bench.store.changes.load()).toHaveLength(1);
    await expect(bench.client.edit({ messageId: id(1), text: 'z' })).rejects.toThrow(StoppedError);
  });

  it('takes up what an earlier run left', async () => {
    const content = { kind: 'text', text: 'old' } as const;
    bench.store.add({ messageId: message(1).messageId, to: PEER, content, writtenAt: 0 });
    await bench.online();
    expect(bench.client.unsent.map((o) => o.text)).toEqual(['old']);
    expect(bench.socket.frames('send')).toEqual([
      { type: 'send', messageId: message(1).messageId, to: PEER, content, retry: true },
    ]);
  });

  it.each([
    [CLOSE_CODES.loggedOut, true],
    [CLOSE_CODES.accountDisabled, true],
    [CLOSE_CODES.replacedByLogin, true],
    [CLOSE_CODES.sameDeviceElsewhere, false],
    [CLOSE_CODES.protocolError, false],
  ])('stops on %i; forgets the login: %s', async (code, forgets) => {
    await bench.online();
    bench.socket.end(code);
    await settle();
    expect(bench.log.slice(-2)).toEqual(['stopped', `code ${code}`]);
    expect(bench.saved).toEqual(forgets ? [null] : []);
  });

  it('passes on what it is told about others', async () => {
    await bench.online();
    const pending: unknown[] = [];
    bench.client.on('pending', (event) => pending.push(event));
    const frame = { type: 'pending', conversationId: CONVERSATION, messageId: 'm', position: '1' };
    bench.socket.receive({ ...frame, offline: [PEER] });
    expect(pending).toEqual([expect.objectContaining({ offline: [PEER] })]);
  });

  it('watches over reconnects, and tells what is said of presence', async () => {
    const told: unknown[] = [];
    bench.client.on('presence', ({ userId, status }) => told.push([userId, status]));
    await bench.online(undefined, ['presence']);
    bench.client.watch([PEER]);
    const first = bench.socket;
    const word = { type: 'presence', userId: PEER, lastSeenAt: null, activeAt: null };
    first.receive({ ...word, status: 'online', version: 2 });
    first.end();
    await bench.clock.pass(1_000);
    expect(bench.client.presenceOf(PEER)).toMatchObject({ status: 'online' });
    bench.socket.receive(welcome('g2', { features: ['presence'] }));
    expect(bench.socket.frames('watch')).toMatchObject([{ userIds: [PEER] }]);
    bench.socket.receive({ ...word, status: 'offline', version: 1 });
    bench.socket.receive({ ...word, status: 'away', version: 3 });
    expect(told).toEqual([
      [PEER, 'online'],
      [PEER, 'away'],
    ]);
  });

  it('tells what its gateway sheds, and of the next one what differs', async () => {
    const told: string[] = [];
    bench.client.on('shed', ({ lanes }) => told.push(lanes.join(' ')));
    const shed = (...lanes: string[]) => bench.socket.receive({ type: 'shed', lanes });
    await bench.online();
    shed('typing');
    shed('typing', 'presence');
    shed('typing', 'presence');
    bench.socket.receive({ type: 'shed', lanes: 'all' });
    expect(told).toEqual(['typing', 'typing presence']);
    expect(bench.client.shedding).toEqual(['typing', 'presence']);
    const next = async (gateway: string) => {
      bench.socket.end();
      await bench.clock.pass(1_000);
      bench.socket.receive(welcome(gateway));
    };
    // one that sheds the same says so right behind its welcome
    await next('g2');
    shed('typing', 'presence');
    bench.answer();
    expect(told).toHaveLength(2);
    // of one that does not, whatever comes first tells that all is normal
    await next('g1');
    expect(bench.client.shedding).toEqual(['typing', 'presence']);
    bench.answer();
    bench.answer();
    expect(told.slice(2)).toEqual(['']);
    expect(bench.client.shedding).toEqual([]);
  });

  it('tells that the user is there by what they do, not beside what they send', async () => {
    await bench.online(undefined, ['presence', 'typing']);
    bench.clock.advance(JOINED_MS);
    bench.client.typing(CONVERSATION);
    bench.client.active();
    // the end of typing tells it, too
    bench.clock.advance(JOINED_MS - 1);
    bench.socket.handlers.alive();
    bench.client.active();
    expect(bench.socket.frames('activity')).toEqual([]);
    bench.clock.advance(JOINED_MS);
    expect(bench.socket.frames('activity')).toEqual([{ type: 'activity', kind: 'user' }]);
    bench.client.background();
    bench.client.front();
    const modes = bench.socket.frames('state').map((frame) => frame['mode']);
    expect(modes).toEqual(['background', 'front']);
  });

  it('listens to the page that it runs in, until it ends', async () => {
    const page = new FakePage();
    bench = new ClientBench({ page });
    await bench.online(undefined, ['presence']);
    page.shows('hidden');
    expect(bench.socket.frames('state')).toEqual([{ type: 'state', mode: 'background' }]);
    await bench.client.stop();
    expect(page.listeners.size).toBe(0);
  });

  it('learns direct conversations from their creation and writes to them', async () => {
    await bench.online();
    bench.answer();
    bench.socket.receive({
      type: 'conversation',
      conversationId: CONVERSATION,
      position: '1',
      previous: '0',
      messageId: 'm',
      senderId: PEER,
      sentAt: SENT_AT,
      change: { kind: 'created', conversationKind: 'direct', userIds: [PEER, ME] },
    });
    expect(bench.client.directWith(PEER)).toBe(CONVERSATION);
    bench.client.send({ to: PEER, text: 'x' });
    expect(bench.socket.frames('send')[0]).toMatchObject({ conversationId: CONVERSATION });
  });
});
