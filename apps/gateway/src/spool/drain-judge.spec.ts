import { TidingsError, type ErrorCode } from '@tidings/protocol/errors';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import { FIRST_SENT_AT, heldId, heldRecord, SENDER } from '../testing/held-records';
import { DrainJudge } from './drain-judge';
import { spooledMessage, type SpooledMessage } from './spooled-message';

const FIRST: FirstAppend = {
  position: '7',
  senderId: SENDER,
  contentHash: null,
  sentAt: '2026-01-01T00:00:00.000Z',
  expiresAt: null,
};

function message(n: number, over: Partial<SpooledMessage> = {}): SpooledMessage {
  return { ...spooledMessage(heldRecord(n))!, ...over };
}

function setUp(
  world: {
    member?: ErrorCode;
    remembered?: boolean;
    known?: readonly string[];
    /** Below the end of the log, which storage has not applied yet. */
    inLog?: readonly string[];
    end?: bigint | null;
    applied?: boolean;
    disabled?: boolean | 'unknown';
  } = {},
) {
  const asked: string[] = [];
  const judge = new DrainJudge({
    membership: {
      maySend: () => world.remembered === true,
      requireSender: (conversationId, userId) => {
        asked.push(`${conversationId} ${userId}`);
        if (world.member) return Promise.reject(new TidingsError(world.member));
        return Promise.resolve({ ttlSeconds: null });
      },
    },
    firsts: {
      lookUp: (_conversationId, id) => Promise.resolve(world.known?.includes(id) ? FIRST : null),
      lookUpBelow: (_conversationId, id, end) => {
        expect(end).toBe(9n);
        if (world.applied === false) return Promise.resolve(undefined);
        return Promise.resolve(world.inLog?.includes(id) ? FIRST : null);
      },
    },
    disabled: (senders) => {
      if (world.disabled === 'unknown') return Promise.reject(new TidingsError('unavailable'));
      return Promise.resolve(new Set(world.disabled ? senders.map((one) => one.senderId) : []));
    },
    logEnd: () => Promise.resolve(world.end === undefined ? 9n : world.end),
    wallClock: () => FIRST_SENT_AT,
  });
  const codes = async (...messages: SpooledMessage[]) => {
    const verdicts = await judge.judge(messages);
    return verdicts?.map((v) => {
      if ('refused' in v) return v.refused.code;
      return 'append' in v && v.placeOnly ? 'its place' : Object.keys(v)[0];
    });
  };
  return { codes, asked };
}

describe('a held message', () => {
  it.each([
    { name: 'is appended while its sender is a member', world: {}, verdict: 'append' },
    { name: 'is asked about by memory first', world: { remembered: true }, verdict: 'append' },
    {
      name: 'is refused when its sender has left',
      world: { member: 'no_such_conversation' },
      verdict: 'no_such_conversation',
    },
    {
      name: 'is not appended when storage has it, whoever may send now',
      world: { known: [heldId(0)], member: 'no_such_conversation' },
      verdict: 'known',
    },
  ] as const)('$name', async ({ world, verdict }) => {
    expect(await setUp(world).codes(message(0))).toEqual([verdict]);
  });

  it.each([
    { name: 'the log cannot be asked', world: { end: null }, verdicts: undefined },
    { name: 'storage is behind the log', world: { applied: false }, verdicts: undefined },
    { name: 'it is in the log', world: { inLog: [heldId(0)] }, verdicts: ['known'] },
  ])('is not refused when $name: its append may have got through', async ({ world, verdicts }) => {
    const { codes } = setUp({ member: 'blocked', ...world });
    expect(await codes(message(0))).toEqual(verdicts);
  });

  it.each([
    { world: { disabled: true }, verdicts: ['forbidden'] },
    { world: { disabled: true, remembered: true }, verdicts: ['forbidden'] },
    { world: { disabled: true, known: [heldId(0)] }, verdicts: ['known'] },
    { world: { disabled: true, inLog: [heldId(0)] }, verdicts: ['known'] },
    { world: { disabled: 'unknown' }, verdicts: undefined },
  ] as const)('of a disabled sender, $world: $verdicts', async ({ world, verdicts }) => {
    expect(await setUp(world).codes(message(0))).toEqual(verdicts);
  });

  it.each(['unavailable', 'internal'] as const)('waits when membership is %s', async (member) => {
    expect(await setUp({ member }).codes(message(0), message(1))).toBeUndefined();
  });

  it.each([
    { expiresAtMs: FIRST_SENT_AT, verdict: 'its place' },
    { expiresAtMs: FIRST_SENT_AT + 1, verdict: 'append' },
    { expiresAtMs: null, verdict: 'append' },
  ])('whose life ends at $expiresAtMs: $verdict', async ({ expiresAtMs, verdict }) => {
    expect(await setUp().codes(message(0, { expiresAtMs }))).toEqual([verdict]);
  });

  it('is judged with others in one question per sender and conversation', async () => {
    const { codes, asked } = setUp();
    const other = message(2, { senderId: 'other' });
    expect(await codes(message(0), message(1), other)).toEqual(['append', 'append', 'append']);
    expect(asked).toHaveLength(2);
  });
});

describe('spooledMessage', () => {
  it('reads what a message is judged by', () => {
    expect(spooledMessage(heldRecord(0))).toMatchObject({
      messageId: heldId(0),
      senderId: SENDER,
      sentAtMs: FIRST_SENT_AT,
      expiresAtMs: null,
    });
  });

  it.each([{ type: 'tidings.other.v1' }, { value: '{' }, { value: '{}' }])(
    'is null for %j',
    (over) => {
      expect(spooledMessage({ ...heldRecord(0), ...over })).toBeNull();
    },
  );
});
