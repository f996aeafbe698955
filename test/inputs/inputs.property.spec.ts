import { createHash, createHmac } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { JwtService } from '@nestjs/jwt';
import express, { type Request } from 'express';
import fc from 'fast-check';
import { z } from 'zod';
import {
  changeHashText,
  content,
  contentHashText,
  contentProblem,
} from '@tidings/protocol/content';
import { ERRORS, TidingsError } from '@tidings/protocol/errors';
import { EVENT_SCHEMAS } from '@tidings/common/log-events/events';
import { extrasOf, extrasProblem } from '@tidings/protocol/extras';
import { clientFrame, parseClientFrame, serverFrame } from '@tidings/protocol/frames';
import {
  conversationBody,
  loginBody,
  registerBody,
  signedMediaQuery,
} from '@tidings/protocol/http';
import { uuid, uuidV7Time } from '@tidings/protocol/ids';
import { PRESENCE_RPC, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { TOPICS } from '@tidings/common/log-events/topics';
import { readReceipts } from '@tidings/common/log-events/receipt-batch';
import { decodeRecord, encodeHeaders, type LogRecord } from '@tidings/common/log-events/record';
import { decodeInbox, encodeInbox } from '@tidings/common/redis/inbox-codec';
import { decodeRoute } from '@tidings/common/redis/routes';
import { clientNetwork } from '@tidings/common/runtime/client-network';
import { CallJudge, signCall } from '@tidings/common/rpc/credentials';
import { safeFields, safeText } from '@tidings/common/runtime/log-safety';
import { ZodPipe } from '@tidings/common/runtime/zod.pipe';
import {
  accessClaims,
  ALGORITHM,
  AUDIENCE,
  ISSUER,
  SigningKeys,
} from '../../apps/gateway/src/auth/access-tokens';
import { JwtStrategy } from '../../apps/gateway/src/auth/jwt.strategy';
import type { LoginGate } from '../../apps/gateway/src/auth/login-gate';
import { matchesEtag, readRange } from '../../apps/gateway/src/media/byte-range';
import { declaredType, sniffImage } from '../../apps/gateway/src/media/media-type';
import { isAllowedOrigin } from '../../apps/gateway/src/socket/origins';
import { readOffer } from '../../apps/gateway/src/socket/subprotocols';
import { ClientAddresses } from '../../apps/gateway/src/http/client-addresses';
import { SharedAddresses } from '../../apps/gateway/src/rates/shared-addresses';
import { MediaUrls } from '../../apps/gateway/src/media/media-urls';
import { refusalFrameText } from '../../apps/gateway/src/socket/server-frames';
import { spooledMessage } from '../../apps/gateway/src/spool/spooled-message';
import { applyEvent } from '../../apps/presence/src/domain/apply-event';
import { rulesOf } from '../../apps/presence/src/domain/rules';
import { unknownUser } from '../../apps/presence/src/domain/user-state';
import { readPresenceEvents } from '../../apps/presence/src/event-reader';
import { Draft } from '../../apps/session/src/domain/draft';
import { membership } from '../../apps/session/src/domain/members';
import { emptyState } from '../../apps/session/src/domain/partition-state';
import { readEntries } from '../../apps/session/src/routing/entry-reader';
import { readPresenceChanges } from '../../apps/session/src/presence/presence-reader';
import { readSignals } from '../../apps/session/src/typing/typing-reader';
import { decodeCursor, encodeCursor } from '../../apps/storage/src/domain/cursor';
import { decodeSince, encodeSince } from '../../apps/storage/src/domain/since';
import {
  emailKey,
  usernameKey,
  UsernameProblem,
  usernamePrefix,
} from '../../apps/storage/src/domain/username';
import { LogState } from '../../apps/storage/src/log/log-state';
import { decodeEntry } from '../../apps/storage/src/messages/record-decoder';
import { readFrame } from '../../clients/sdk/src/frames';
import { mutated, mutatedText, mutations, textMutations } from './mutations';
import { validInputs } from './valid-inputs';

const PRESENCE_RULES = rulesOf({ awayMs: 300_000, graceMs: 15_000 });
/** Cases of this file in one run; each schema and decoder gets its share. */
const LEAST_CASES = 100_000;
/** Of IPv6 with IPv4 in it; RFC 4291 §2.2. */
const LONGEST_ADDRESS = 45;
const ASKED_RUNS = Number(process.env['PROPERTY_RUNS'] ?? 0);
/** What a failure printed, to see it again. */
const SEED = process.env['PROPERTY_SEED'];
const REPLAY = SEED
  ? { seed: Number(SEED), path: process.env['PROPERTY_PATH'] ?? '', endOnFailure: true }
  : {};
/** Samples of valid inputs that are mutated, per schema. */
const SAMPLES = 30;
const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const NOW = Date.parse('2026-11-23T07:00:00Z');
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** The largest number of thirteen digits to the base of 36. */
const MAX_DIGITS = 36n ** 13n - 1n;

let cases = 0;

function samplesOf(schema: z.ZodType): unknown[] {
  return fc.sample(validInputs(schema), { numRuns: SAMPLES, seed: 1 });
}

/** Checks a property of mutated samples; a failure prints seed and path. */
function holds<T>(samples: readonly T[], runs: number, check: (sample: unknown) => void): void {
  const one = fc.record({ sample: fc.constantFrom(...samples), changes: mutations });
  fc.assert(
    fc.property(one, ({ sample, changes }) => {
      cases++;
      check(mutated(sample, changes));
    }),
    { numRuns: ASKED_RUNS || runs, ...REPLAY },
  );
}

/** The same of mutated texts, and of their JSON. */
function holdsOfText(
  samples: readonly string[],
  runs: number,
  check: (text: string) => void,
): void {
  const one = fc.record({ sample: fc.constantFrom(...samples), changes: textMutations });
  fc.assert(
    fc.property(one, ({ sample, changes }) => {
      cases++;
      check(mutatedText(sample, changes));
    }),
    { numRuns: ASKED_RUNS || runs, ...REPLAY },
  );
}

/** Claims are an object: only who has the key could sign anything else. */
function objectOf(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : { sub: value };
}

/** The same for checks that take time. */
async function holdsOfTextLater(
  samples: readonly string[],
  runs: number,
  check: (text: string) => Promise<void>,
): Promise<void> {
  const one = fc.record({ sample: fc.constantFrom(...samples), changes: textMutations });
  await fc.assert(
    fc.asyncProperty(one, async ({ sample, changes }) => {
      cases++;
      await check(mutatedText(sample, changes));
    }),
    { numRuns: ASKED_RUNS || runs, ...REPLAY },
  );
}

/** Where schemas of what comes from outside stand. */
const LANGUAGES = ['protocol/src', 'common/src/log-events', 'common/src/rpc'];

/** Every schema of the protocol, of the log and of internal calls, by where it stands: found, not listed. */
function allSchemas(): [name: string, schema: z.ZodType][] {
  const found: [string, z.ZodType][] = [['accessClaims', accessClaims]];
  for (const folder of LANGUAGES.map((one) => join(__dirname, '../../libs', one))) {
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.ts') || file.endsWith('.spec.ts')) continue;
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const exported = require(join(folder, file)) as Record<string, unknown>;
      for (const [name, value] of Object.entries(exported)) {
        if (value instanceof z.ZodType) found.push([`${file} ${name}`, value]);
      }
    }
  }
  for (const events of Object.values(EVENT_SCHEMAS)) {
    for (const [type, schema] of Object.entries(events)) found.push([`event ${type}`, schema]);
  }
  for (const [name, { input, output }] of Object.entries({ ...STORAGE_RPC, ...PRESENCE_RPC })) {
    found.push([`call ${name}`, input], [`answer of ${name}`, output]);
  }
  return found;
}

/** Whatever comes of it is a typed error. */
function typed(work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    expect(Object.hasOwn(ERRORS, error.code)).toBe(true);
  }
}

const SCHEMAS = allSchemas();

describe('every schema that meets input from outside', () => {
  it('is found without being listed', () => {
    const names = SCHEMAS.map(([name]) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        'frames.ts clientFrame',
        'http.ts signedMediaQuery',
        'event tidings.receipt.v1',
        'call sync',
        'accessClaims',
      ]),
    );
    expect(SCHEMAS.length).toBeGreaterThan(100);
  });

  it.each(SCHEMAS)('%s: refuses or takes, and never throws', (_name, schema) => {
    const samples = samplesOf(schema);
    const valid = samples.filter((sample) => schema.safeParse(sample).success);
    // mutations of nonsense would show nothing
    expect(valid.length).toBeGreaterThanOrEqual(SAMPLES / 10);
    holds([...samples, ...valid], 300, (input) => {
      const { success, error } = schema.safeParse(input);
      if (!success) expect(error!.issues.length).toBeGreaterThan(0);
    });
  });
});

describe('frames of clients', () => {
  const samples = samplesOf(clientFrame);

  function check(text: string): void {
    const parsed = parseClientFrame(text);
    if ('refusal' in parsed) {
      expect(Object.hasOwn(ERRORS, parsed.refusal.code)).toBe(true);
      // an answer to a frame is never much longer than a frame needs to be
      expect(refusalFrameText(parsed.refusal).length).toBeLessThan(2_000);
      return;
    }
    const { frame } = parsed;
    if (frame.type === 'send') {
      contentHashText(frame.content, extrasOf(frame));
      uuidV7Time(frame.messageId);
    } else if (frame.type === 'edit') changeHashText(frame.messageId, frame.content);
  }

  it('with mutated fields', () => {
    holds(samples, 8_000, (input) => check(JSON.stringify(input) ?? ''));
  });

  it('as mutated text', () => {
    holdsOfText(
      samples.map((s) => JSON.stringify(s)),
      5_000,
      check,
    );
  });

  it('as any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        cases++;
        check(Buffer.from(bytes).toString());
      }),
      { numRuns: ASKED_RUNS || 2_000, ...REPLAY },
    );
  });

  it('have content and extras that are judged whatever they are', () => {
    holds(samplesOf(content), 3_000, (input) => {
      const parsed = content.safeParse(input);
      if (parsed.success) contentProblem(parsed.data);
      extrasProblem({ meta: input });
    });
  });
});

describe('bodies of HTTP calls', () => {
  it.each([
    ['registerBody', registerBody],
    ['loginBody', loginBody],
    ['conversationBody', conversationBody],
  ])('%s: a typed refusal of bounded length', (_name, schema: z.ZodType) => {
    const pipe = new ZodPipe(schema);
    holds(samplesOf(schema), 1_000, (input) => {
      try {
        pipe.transform(input);
      } catch (error) {
        if (!(error instanceof TidingsError)) throw error;
        expect(error.code).toBe('invalid_request');
        expect(JSON.stringify([error.message, error.errors]).length).toBeLessThan(16_000);
      }
    });
  });

  it('have names that are judged whatever they are', () => {
    holdsOfText(['ann', 'Ünï_çode.9'], 1_000, (text) => {
      try {
        usernameKey(text);
      } catch (error) {
        if (!(error instanceof UsernameProblem)) throw error;
      }
      usernamePrefix(text);
      emailKey(text);
    });
  });
});

describe('records of the log', () => {
  const PARTITIONS = 4;
  const log = new LogState(
    TOPICS.messages,
    1,
    Array.from({ length: PARTITIONS }, () => 1n),
  );
  const TYPES = Object.entries(EVENT_SCHEMAS).flatMap(([topic, schemas]) =>
    Object.entries(schemas).map(([type, schema]) => ({ topic, type, schema })),
  );

  function recordOf(topic: string, type: string, value: Buffer, about: unknown): LogRecord {
    const { conversationId, messageId, changeId, userId } = (about ?? {}) as Record<
      string,
      unknown
    >;
    const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 200) : '');
    const key = text(conversationId ?? userId);
    const origin = { source: 'gateway-1', epoch: 1 };
    const id = text(changeId ?? messageId ?? ID);
    const headers = encodeHeaders({ type, id, time: new Date(NOW).toISOString() }, origin);
    const read = decodeRecord(topic, log.partitionOf(key), {
      key: Buffer.from(key),
      value,
      headers,
      offset: '7',
      timestamp: String(NOW),
    });
    return read;
  }

  /** What every consumer makes of a record. Nothing here may throw. */
  function consume(record: LogRecord): void {
    const stored = decodeEntry(record, log);
    readReceipts([record]);
    readSignals([record], NOW);
    readPresenceChanges([record]);
    for (const event of readPresenceEvents([record]).events) {
      const unknown = unknownUser({ lastSeenAtMs: null, activeAtMs: null });
      const state = applyEvent(unknown, event, PRESENCE_RULES, () => true);
      for (const atMs of [state.lastSeenAtMs ?? 0, state.activeAtMs ?? 0]) {
        expect(atMs).toBeGreaterThanOrEqual(0);
        expect(atMs).toBeLessThanOrEqual(record.timestamp);
      }
    }
    spooledMessage({ ...record, headers: {} });
    const { partition } = record;
    const read = readEntries([record], {
      epoch: 1,
      base: 1n,
      partitionOf: (key) => log.partitionOf(key),
    });
    // storage and session have one judgement of every record
    const judged = {
      poison: 'bad',
      ignored: 'foreign',
      entry: 'entries',
      change: 'entries',
    } as const;
    const found = { bad: read.bad.length, foreign: read.foreign, entries: read.entries.length };
    expect(found).toEqual({ bad: 0, foreign: 0, entries: 0, [judged[stored.kind]]: 1 });
    const state = emptyState({ partition, base: 1n, start: 0n, liveFrom: 0n });
    const draft = new Draft(state);
    for (const entry of read.entries) draft.admit(entry);
    const members = membership('group', 1, [{ userId: ID, from: 0n, until: null }]);
    for (const { conversationId } of draft.missing()) {
      draft.learn(conversationId, { membership: members, previous: null });
    }
    for (const { frame } of draft.route(NOW)) expect(frame).not.toContain('\n');
    draft.commit(8n);
    for (const { error } of draft.setAside) throw error;
  }

  it.each(TYPES.map(({ topic, type, schema }) => [type, topic, schema] as const))(
    '%s of %s: read or set aside',
    (type, topic, schema: z.ZodType) => {
      const samples = samplesOf(schema);
      holds(samples, 1_500, (input) => {
        consume(recordOf(topic, type, Buffer.from(JSON.stringify(input) ?? ''), input));
      });
      holdsOfText(
        samples.map((s) => JSON.stringify(s)),
        500,
        (text) => {
          consume(recordOf(topic, type, Buffer.from(text), samples[0]));
        },
      );
    },
  );

  it('of any type, key and bytes', () => {
    const types = [...TYPES.map(({ type }) => type), '', 'tidings.message.sent.v9', '__proto__'];
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.string({ unit: 'binary', maxLength: 50 }),
        fc.uint8Array({ maxLength: 100 }),
        (type, conversationId, bytes) => {
          cases++;
          consume(recordOf(TOPICS.messages, type, Buffer.from(bytes), { conversationId }));
        },
      ),
      { numRuns: ASKED_RUNS || 2_000, ...REPLAY },
    );
  });
});

describe('entries of an inbox', () => {
  const entry = encodeInbox([
    { kind: 'changed', conversationId: 'd' },
    { kind: 'push', connections: ['a', 'b'], frame: '{"type":"message"}' },
    { kind: 'all', position: '9', frame: '{"type":"message"}' },
    { kind: 'tells', of: 'u', connections: ['a'], frame: '{"type":"pending"}' },
    { kind: 'close', connectionId: 'c', code: 4502, reason: 'logged "out"' },
    { kind: 'presence', userId: 'u', presence: '{"status":"away"}' },
    { kind: 'judge', userId: 'u' },
  ]);
  it('are carried out or skipped', () => {
    holdsOfText([entry, ''], 3_000, (text) => {
      const seen: unknown[] = [];
      decodeInbox(Buffer.from(text), {
        changed: (id) => seen.push(id),
        push: (connections, frame) => seen.push(connections, frame),
        all: (position, frame) => seen.push(position, frame),
        tells: (of, connections, frame) => seen.push(of, connections, frame),
        close: (id, code, reason) => seen.push(id, code, reason),
        presence: (userId, presence) => seen.push(userId, presence),
        judge: (userId) => seen.push(userId),
      });
    });
  });
});

describe('what clients hand back', () => {
  const expected = { userId: ID, epoch: 1, partitions: 2 };
  const carried = [
    { prefix: 'abcdefgh', have: 5n },
    { prefix: 'ABCDEFGH', have: null },
    { prefix: '12345678', have: 2n ** 62n, seen: 9n },
  ];
  const rest = { mode: 'listed', target: [3n, 4n], carried, after: 'x', delayed: true } as const;
  const since = [
    encodeSince(sha256, ID, { epoch: 1, next: [1n, 2n] }),
    encodeSince(sha256, ID, { epoch: 1, next: [1n, 2n], continuation: rest }),
    // as many digits as are read: more than the database counts to
    encodeSince(sha256, ID, { epoch: 1, next: [MAX_DIGITS, 2n] }),
    encodeSince(sha256, ID, {
      epoch: 1,
      next: [1n, 2n],
      continuation: { ...rest, carried: [{ prefix: 'abcdefgh', have: MAX_DIGITS }] },
    }),
  ];

  it('as since: what is read fits the database', () => {
    const below =
      (bound: bigint) =>
      (value: bigint | null | undefined): void => {
        if (value != null) expect(value <= bound).toBe(true);
      };
    const check = (text: string): void => {
      const read = decodeSince(sha256, text, expected);
      // an offset becomes a position by adding the epoch's base
      [...(read?.next ?? []), ...(read?.continuation?.target ?? [])].forEach(below(2n ** 62n));
      for (const { have, seen } of read?.continuation?.carried ?? []) {
        [have, seen].forEach(below(2n ** 63n - 1n));
      }
    };
    since.forEach(check);
    holdsOfText(since, 6_000, check);
  });

  it('as cursor', () => {
    holdsOfText([encodeCursor(['ann']), encodeCursor(['17', ID])], 4_000, (text) => {
      typed(() => decodeCursor(text, 1));
      typed(() => decodeCursor(text, 2));
    });
  });

  it('as signed URL', () => {
    const urls = new MediaUrls({ secret: 'x'.repeat(32), base: '', lifeSeconds: 60 });
    const query = {
      variant: 'original',
      user: ID,
      expires: 9e9,
      signature: 'x'.repeat(43),
    } as const;
    holds([query], 1_000, (input) => {
      const parsed = signedMediaQuery.safeParse(input);
      if (parsed.success) typed(() => urls.check(ID, parsed.data, NOW));
    });
  });

  it('as access token', () => {
    const keys = new SigningKeys('x'.repeat(32), 'y'.repeat(32));
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: ID })}.${'A'.repeat(43)}`;
    holdsOfText([token, ''], 2_000, (text) => keys.keyOf(text));
  });

  describe('as access token, through passport', () => {
    const keys = new SigningKeys('x'.repeat(32));
    const gate = { require: () => Promise.resolve() } as unknown as LoginGate;
    const strategy = new JwtStrategy(keys, gate, { used: () => undefined } as never);
    const jwt = new JwtService();
    const signing = { algorithm: ALGORITHM, secret: 'x'.repeat(32) } as const;
    const claims = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: ID,
      did: ID,
      gen: 1,
      seq: 1,
      iat: Math.floor(Date.now() / 1000),
      exp: Math.floor(Date.now() / 1000) + 900,
    };
    const good = jwt.sign(claims, signing);

    /** What becomes of a request with this header: its principal, or the typed refusal. */
    const judged = (authorization: string): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const run = Object.assign(Object.create(strategy) as typeof strategy, {
          success: resolve,
          fail: () => resolve(null),
          error: (error: unknown) => {
            if (error instanceof TidingsError) resolve(null);
            else reject(error as Error);
          },
        });
        (run as unknown as { authenticate(request: object): void }).authenticate({
          headers: { authorization },
        });
      });

    it('no other text than the one that was signed is taken', async () => {
      const principal = { userId: ID, deviceId: ID, generation: 1 };
      expect(await judged(`Bearer ${good}`)).toEqual(principal);
      await holdsOfTextLater(
        [`Bearer ${good}`, `bearer ${good}`, 'Bearer ..', ''],
        2_000,
        async (text) => {
          if ((await judged(text)) !== null) expect(text.split(/\s+/)[1]).toBe(good);
        },
      );
    });

    it('claims of any shape are taken or refused, typed, though their signature is right', async () => {
      const one = fc.record({ changes: mutations });
      await fc.assert(
        fc.asyncProperty(one, async ({ changes }) => {
          cases++;
          const payload = Buffer.from(
            JSON.stringify({ ...claims, ...objectOf(mutated(claims, changes)) }),
          );
          const head = Buffer.from(JSON.stringify({ alg: ALGORITHM, typ: 'JWT' }));
          const signed = `${head.toString('base64url')}.${payload.toString('base64url')}`;
          const mac = createHmac('sha256', signing.secret).update(signed).digest('base64url');
          const taken = (await judged(`Bearer ${signed}.${mac}`)) as { userId: string } | null;
          if (taken !== null) expect(uuid.safeParse(taken.userId).success).toBe(true);
        }),
        { numRuns: ASKED_RUNS || 2_000, ...REPLAY },
      );
    });
  });
});

describe('headers', () => {
  it('of any text', () => {
    const samples = [
      'tidings.v1.json, ticket.AAAAAAAAAAAAAAAAAAAAAA',
      'bytes=0-99',
      'bytes=-5',
      'W/"abc", "def"',
      'https://app.example',
      'image/png; charset=x',
      'gateway-1|boot|c1|1700000000000000',
    ];
    holdsOfText(samples, 6_000, (text) => {
      const { ticket } = readOffer(text);
      if (ticket !== null) expect(ticket).toMatch(/^[A-Za-z0-9_-]{16,256}$/);
      for (const size of [0, 1, 100]) {
        const range = readRange(text, size);
        if (typeof range !== 'object') continue;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.end).toBeLessThan(size);
        expect(range.start).toBeLessThanOrEqual(range.end);
      }
      matchesEtag(text, '"abc"');
      isAllowedOrigin(text, text.slice(0, 5), ['https://app.example']);
      expect(declaredType(text).length).toBeLessThan(256);
      sniffImage(Buffer.from(text));
      decodeRoute('u', 'd', text);
    });
  });

  it.each<[string, number | string[]]>([
    ['hops', 1],
    ['more hops than there are', 5],
    ['networks', ['loopback', '10.0.0.0/8', 'fc00::/7']],
  ])(
    'X-Forwarded-For with trusted %s: an address, as Express reads it, or the peer',
    (_name, trusted) => {
      const app = express();
      app.set('trust proxy', trusted);
      const addresses = new ClientAddresses(trusted);
      const shared = new SharedAddresses(['10.0.0.0/8', 'fc00::/7']);
      const samples = [
        '203.0.113.7',
        '203.0.113.7, 10.0.0.1, ::ffff:10.0.0.2',
        '2001:db8::7, fe80::1%eth0, ::1',
        '[2001:db8::7]:443, unknown, _hidden',
        '',
      ];
      holdsOfText(samples, 2_000, (text) => {
        const request = Object.create(app.request) as Request;
        Object.assign(request, {
          app,
          headers: { 'x-forwarded-for': text },
          socket: { remoteAddress: '127.0.0.1' },
          connection: { remoteAddress: '127.0.0.1' },
        });
        const ip = addresses.of(request);
        const isAddress = isIP(request.ip ?? '') !== 0 && !request.ip!.includes('%');
        expect(ip).toBe(isAddress ? request.ip : '127.0.0.1');
        expect(clientNetwork(ip).length).toBeLessThanOrEqual(LONGEST_ADDRESS);
        expect(typeof shared.has(ip)).toBe('boolean');
      });
    },
  );

  it('of internal calls', () => {
    const call = { path: '/internal/x', body: '{}' };
    const numbered = { caller: 'g-1', receiver: 's-1', number: 1, atMs: NOW };
    const good = signCall('secret', { ...numbered, ...call });
    const refusal = (text: string): string | null =>
      new CallJudge('secret', 's-1').refusal(text, { ...call, nowMs: NOW });
    expect(refusal(good)).toBeNull();
    holdsOfText([good, ''], 3_000, (text) => {
      expect(refusal(text) === null).toBe(text === good);
    });
  });
});

describe('other ways', () => {
  it('a client reads any frame of a server', () => {
    holds(samplesOf(serverFrame), 1_500, (input) => {
      readFrame(JSON.stringify(input) ?? '');
    });
  });

  it('a log line of anything is bounded', () => {
    holds(samplesOf(clientFrame), 3_000, (input) => {
      const line = JSON.stringify(safeFields({ input }));
      expect(line.length).toBeLessThan(500_000);
      if (typeof input === 'string') expect(safeText(input).length).toBeLessThan(5_000);
    });
  });
});

afterAll(() => {
  // how much was tried is part of the promise
  if (!SEED && !ASKED_RUNS) expect(cases).toBeGreaterThanOrEqual(LEAST_CASES);
});
