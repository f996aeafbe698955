import { NetworkError, TidingsError, type Message, type Trace } from '@tidings/sdk';
import { plain } from './style';
import { showTrace, traceLines } from './trace-command';

const at = (ms: number): string => new Date(2026, 0, 1, 10, 0, 0, ms).toISOString();
const TRACE: Omit<Trace, 'cursor'> = {
  conversationId: 'c',
  messageId: 'm',
  position: '7',
  recipients: 2,
  accepted: at(10),
  logged: at(14),
  routed: at(9),
  stored: null,
  expired: null,
  setAside: null,
  delivered: [{ userId: 'anna', at: at(20) }],
  read: [],
};

describe('traceLines', () => {
  it('shows each step and how long it took', () => {
    expect(traceLines(TRACE, (id) => id)).toEqual([
      '  accepted  10:00:00.010',
      '  logged    10:00:00.014 (+4 ms)',
      '  routed    10:00:00.009 (−1 ms)',
      '  stored    not known',
      '  delivered 1 of 2: anna by 10:00:00.020',
      '  read      0 of 2',
    ]);
  });

  it('names only some of many, and says when the message expired', () => {
    const delivered = Array.from({ length: 9 }, (_, i) => ({ userId: `u${i}`, at: null }));
    const lines = traceLines({ ...TRACE, recipients: 9, delivered, expired: at(500) }, (id) => id);
    expect(lines[4]).toBe('  delivered 9 of 9: u0, u1, u2, u3, u4, u5, u6, u7, …');
    expect(lines.at(-1)).toBe('  expired   10:00:00.500');
  });

  it('says that a message was set aside, and nothing of it where a server does not tell', () => {
    const older: Partial<Trace> = { ...TRACE };
    delete older.setAside;
    expect(traceLines({ ...TRACE, setAside: at(30) }, (id) => id).at(-1)).toBe(
      '  set aside 10:00:00.030: nobody gets it until the server’s operators repeat it',
    );
    expect(traceLines(older as Trace, (id) => id)).toHaveLength(6);
  });
});

function setUp() {
  const printed: string[] = [];
  const asked: string[] = [];
  const world = { here: 'c' as string | undefined, error: null as Error | null };
  const message = (messageId: string, senderId: string, kind = 'text') =>
    ({ messageId, senderId, content: { kind } }) as Message;
  const client = {
    currentLogin: { user: { id: 'me' } } as never,
    messages: () => [
      message('m1', 'me'),
      message('m2', 'anna'),
      message('m3', 'me'),
      message('e', 'me', 'event'),
    ],
    trace: (_id: string, messageId: string) => {
      asked.push(messageId);
      return world.error ? Promise.reject(world.error) : Promise.resolve(TRACE);
    },
  };
  const screen = { style: plain, print: (...lines: string[]) => void printed.push(...lines) };
  const people = { name: (id: string) => id, lookUp: () => Promise.resolve() };
  const show = (argument: string) =>
    showTrace({ client, screen, people, here: () => world.here }, argument);
  return { world, printed, asked, show };
}

describe('/trace', () => {
  it.each([
    ['', 'm3'],
    ['1', 'm3'],
    ['2', 'm1'],
  ])('%j shows %s', async (argument, messageId) => {
    const { asked, printed, show } = setUp();
    await show(argument);
    expect(asked).toEqual([messageId]);
    expect(printed).toHaveLength(6);
  });

  it.each([
    ['3', 'there is no such message of yours here'],
    ['x', 'which one? /trace, or /trace N for your Nth last message'],
    ['0', 'which one? /trace, or /trace N for your Nth last message'],
  ])('%j: %s', async (argument, remark) => {
    const { asked, printed, show } = setUp();
    await show(argument);
    expect([asked, printed]).toEqual([[], [`  ${remark}`]]);
  });

  it.each([
    [new TidingsError('not_found'), 'the server has not got it yet'],
    [new NetworkError('away'), 'offline — ask again later'],
  ])('says what %s means', async (error, remark) => {
    const { world, printed, show } = setUp();
    world.error = error;
    await show('');
    expect(printed).toEqual([`  ${remark}`]);
  });

  it('leaves other refusals to the caller, and needs an open chat', async () => {
    const { world, printed, show } = setUp();
    world.error = new TidingsError('no_such_conversation');
    await expect(show('')).rejects.toThrow();
    world.here = undefined;
    await show('');
    expect(printed).toEqual(['  open a chat first']);
  });
});
