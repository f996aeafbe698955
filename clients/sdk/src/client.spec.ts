import { CLOSE_CODES } from '@tidings/common/contracts/close-codes';
import { LIMITS } from '@tidings/common/contracts/limits';
import { uuidV7Time } from '@tidings/common/contracts/ids';
import { ClientBench } from '../testing/client-bench';
import { settle } from '../testing/fake-clock';
import { CONVERSATION, id, ME, message, PEER, served } from '../testing/factories';
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
  ])('stops on %i; forgets the session: %s', async (code, forgets) => {
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

  it('learns direct conversations from their creation and writes to them', async () => {
    await bench.online();
    bench.answer();
    bench.socket.receive({
      type: 'conversation',
      ...{ conversationId: CONVERSATION, position: '1', previous: '0', messageId: 'm' },
      ...{ senderId: PEER, sentAt: SENT_AT },
      change: { kind: 'created', conversationKind: 'direct', userIds: [PEER, ME] },
    });
    expect(bench.client.directWith(PEER)).toBe(CONVERSATION);
    bench.client.send({ to: PEER, text: 'x' });
    expect(bench.socket.frames('send')[0]).toMatchObject({ conversationId: CONVERSATION });
  });
});
