import { TidingsClient } from './client';
import { browserTransport } from './browser-transport';
import { InvalidCallError, NetworkError, StoppedError } from './errors';
import { IndexedDbOutboxStore } from './indexed-db-outbox';
import { nodeSha256 } from './node';
import { FakeTransport } from '../testing/fake-transport';

const CONVERSATION = 'c'.repeat(43);
const LOGIN = {
  user: { id: 'me', username: 'me', firstName: 'Me' },
  deviceId: 'd',
  accessToken: 'a',
  refreshToken: 'r',
  expiresAt: Infinity,
};

function client(servers: readonly string[] = ['http://one']): TidingsClient {
  return new TidingsClient({
    servers,
    transport: new FakeTransport(),
    sha256: nodeSha256,
    fetch: () => Promise.reject(new TypeError('fetch failed')),
  });
}

describe('errors of the SDK', () => {
  let started: TidingsClient;
  beforeEach(async () => {
    started = client();
    started.restore(LOGIN);
    await started.start();
  });
  afterEach(() => started.stop());

  it.each<[string, object, object[]]>([
    ['no text', { conversationId: CONVERSATION }, [{ path: 'text', rule: 'a string is expected' }]],
    ['a number', { conversationId: CONVERSATION, text: 7 }, [{ path: 'text' }]],
    ['no address', { text: 'hi' }, [{ path: 'conversationId', rule: /an id/ }]],
    ['an empty address', { to: '', text: 'hi' }, [{ path: 'to' }]],
    ['two addresses', { to: 'a', conversationId: 'b', text: 'hi' }, [{ path: 'to', rule: /not/ }]],
    [
      'text and content',
      { to: 'a', text: 'hi', content: { kind: 'text', text: 'hi' } },
      [{ path: 'text', rule: 'not together with content' }],
    ],
    [
      'an image without an id',
      { to: 'a', content: { kind: 'image', mediaId: 'x' } },
      [{ path: 'content.mediaId', rule: 'a lower-case UUID is expected' }],
    ],
    ['a reply to nothing', { to: 'a', text: 'hi', replyTo: 'x' }, [{ path: 'replyTo' }]],
    ['odd mentions', { to: 'a', text: 'hi', mentions: ['x'] }, [{ path: 'mentions.0' }]],
  ])('say what is wrong with a message: %s', (_, message, problems) => {
    const expected = problems.map((one) => {
      const { rule } = one as { rule?: string | RegExp };
      return rule instanceof RegExp ? { ...one, rule: expect.stringMatching(rule) as string } : one;
    });
    expect(() => started.send(message as never)).toThrow(
      expect.objectContaining({
        name: 'InvalidCallError',
        code: 'invalid_call',
        call: 'send',
        problems: expected.map((one) => expect.objectContaining(one) as object),
      }),
    );
    expect(started.unsent).toEqual([]);
  });

  it.each<[string, object, string, string, string]>([
    [
      'a long text',
      { text: 'x'.repeat(20_000) },
      'text_too_long',
      'text',
      '20000 bytes; at most 16384',
    ],
    ['a text with NUL', { text: 'a\u0000' }, 'invalid_request', 'text', 'NUL and lone surrogates'],
    [
      'large meta',
      { text: 'a', meta: 'x'.repeat(3000) },
      'payload_too_large',
      'meta',
      '2048 bytes',
    ],
    ['odd meta', { text: 'a', meta: NaN }, 'invalid_request', 'meta', 'plain JSON'],
    [
      'large data',
      { content: { kind: 'custom', data: 'x'.repeat(20_000) } },
      'payload_too_large',
      'data',
      '16384 bytes',
    ],
  ])('name field and limit of what the server would refuse: %s', (_, what, code, path, message) => {
    expect(() => started.send({ conversationId: CONVERSATION, ...what } as never)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(`${path}: `) as string,
        errors: [{ path, message: expect.stringContaining(message) as string }],
      }),
    );
  });

  it('name the ids that a change lacks', async () => {
    const edit = started.edit({ text: 'hi' } as never);
    await expect(edit).rejects.toMatchObject({
      call: 'edit',
      problems: [{ path: 'conversationId' }, { path: 'messageId' }],
    });
  });

  it('tell by their code why a client takes no call', async () => {
    const fresh = client();
    expect(() => fresh.send({ to: 'a', text: 'hi' })).toThrow(
      expect.objectContaining({ code: 'not_started' }),
    );
    await expect(fresh.start()).rejects.toMatchObject({ code: 'not_logged_in' });
    await expect(fresh.api.me()).rejects.toBeInstanceOf(StoppedError);
    await expect(started.start()).rejects.toMatchObject({ code: 'started_twice' });
    await started.stop();
    expect(() => started.send({ to: 'a', text: 'hi' })).toThrow(
      expect.objectContaining({ code: 'stopped' }),
    );
    await expect(started.api.me()).rejects.toMatchObject({
      constructor: NetworkError,
      code: 'network',
    });
  });

  it.each([[[]], [['']], [['localhost:8080']], [['http://one', 'ftp://two']]])(
    'say which server address cannot be one: %j',
    (servers) => expect(() => client(servers)).toThrow(InvalidCallError),
  );

  it('say what the environment lacks', () => {
    const lacks = (missing: string): Error =>
      expect.objectContaining({ code: 'unsupported', missing }) as Error;
    expect(() => new IndexedDbOutboxStore('x')).toThrow(lacks('IndexedDB'));
    const { WebSocket } = globalThis as { WebSocket?: unknown };
    delete (globalThis as { WebSocket?: unknown }).WebSocket;
    try {
      expect(() => browserTransport()).toThrow(lacks('WebSocket'));
    } finally {
      if (WebSocket !== undefined) Object.assign(globalThis, { WebSocket });
    }
  });
});
