import { TidingsError } from '@tidings/protocol/errors';
import { RATES } from '@tidings/protocol/limits';
import { createLogger } from '@tidings/common/runtime/logger';
import { fakeConnection } from '../testing/fake-connection';
import { ConnectionOpener, type ConnectionOpenerParts } from './connection-opener';
import { ConnectionTable } from './connection-table';
import { textFrame } from './text-frame';
import { WriteQueue } from './write-queue';

function setUp(login: 'valid' | 'unauthorized' | 'unavailable', greeting: Buffer | null = null) {
  const fake = fakeConnection({ id: 'c1' });
  const done: string[] = [];
  const note = (what: string): void => void done.push(what);
  const parts = {
    gatewayId: 'g1',
    heartbeatSeconds: 25,
    table: new ConnectionTable(),
    boot: { bootId: 'b1' },
    routes: {
      put: () => {
        note('route');
        return Promise.resolve({ written: true, replaced: null });
      },
    },
    routeCloser: { close: () => note('closed a replaced one') },
    tickets: { issueResume: () => Promise.resolve('r-ticket') },
    gate: {
      requireNow: () => {
        note('login');
        return login === 'valid' ? Promise.resolve() : Promise.reject(new TidingsError(login));
      },
      closeOf: () => Promise.resolve({ code: 4501, reason: 'replaced' }),
    },
    writes: new WriteQueue({ overflow: jest.fn() }),
    router: { release: () => note('released') },
    closer: { close: (_connection: unknown, code: number) => note(`closed ${code}`) },
    presence: { opened: () => note('opened') },
    logger: createLogger({ service: 'gateway', nodeId: 'g1', level: 'silent' }),
    lanes: { greeting },
    rates: RATES,
    wallClock: () => 0,
  };
  const opener = new ConnectionOpener(parts as unknown as ConnectionOpenerParts);
  return { ...fake, done, open: () => opener.open(fake.connection) };
}

describe('ConnectionOpener', () => {
  it('looks at the login once more when the route stands, then welcomes', async () => {
    const { open, done, frames } = setUp('valid');
    await open();
    expect(done).toEqual(['route', 'login', 'opened', 'released']);
    expect(JSON.parse(frames[0]!)).toMatchObject({ type: 'welcome', resumeTicket: 'r-ticket' });
  });

  it('says what is shed right behind the welcome, before what was pushed meanwhile', async () => {
    const { open, connection, frames } = setUp('valid', textFrame('{"type":"shed"}'));
    connection.held = [textFrame('{"type":"message"}')];
    await open();
    expect(frames.map((text) => (JSON.parse(text) as { type: string }).type)).toEqual([
      'welcome',
      'shed',
      'message',
    ]);
  });

  it.each([
    { login: 'unauthorized', code: 4501 },
    { login: 'unavailable', code: 4000 },
  ] as const)('closes with $code without a welcome: $login', async ({ login, code }) => {
    const { open, done, frames } = setUp(login);
    await open();
    expect(done).toEqual(['route', 'login', `closed ${code}`]);
    expect(frames).toEqual([]);
  });
});
