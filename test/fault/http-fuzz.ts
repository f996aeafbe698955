import { connect } from 'node:net';
import fc from 'fast-check';
import { uuidv7 } from 'uuidv7';
import type { z } from 'zod';
import { syncRequest } from '@tidings/protocol/frames';
import {
  addMembersBody,
  connectionsBody,
  conversationBody,
  conversationPatch,
  historyQuery,
  loginBody,
  memberPatch,
  pageQuery,
  passwordBody,
  patchMeBody,
  presenceQuery,
  putMessageBody,
  receiptsBody,
  refreshBody,
  registerBody,
  signedMediaQuery,
  usersQuery,
} from '@tidings/protocol/http';
import { broadcastBody } from '@tidings/protocol/broadcasts';
import { CALL_RATES } from '@tidings/protocol/limits';
import { type Random, randomBelow, seededRandom } from '../../tools/load/random';
import {
  HOSTILE,
  mutated,
  mutatedText,
  mutations,
  type Mutation,
  textMutations,
} from '../inputs/mutations';
import { validInputs } from '../inputs/valid-inputs';
import type { ChatUser } from '../support/chat-user';
import type { FuzzIds } from './frame-fuzz';
import { Counts, paced } from './pace';

const WORKERS = 20;
const PER_SECOND = 100;
/** A request without an answer is given up after this; the slowest bounds of gateways are longer. */
const ANSWER_MS = 3_000;
const BATCH = 100;
/** Failures that are kept to be looked at. */
const MAX_EXAMPLES = 10;

type Call = keyof typeof CALL_RATES;

const BODIES: Partial<Record<Call, z.ZodType>> = {
  'POST /v1/users': registerBody,
  'POST /v1/auth/login': loginBody,
  'POST /v1/auth/refresh': refreshBody,
  'PATCH /v1/me': patchMeBody,
  'POST /v1/me/password': passwordBody,
  'POST /v1/connections': connectionsBody,
  'POST /v1/conversations': conversationBody,
  'PATCH /v1/conversations/:id': conversationPatch,
  'POST /v1/conversations/:id/members': addMembersBody,
  'PATCH /v1/conversations/:id/members/:userId': memberPatch,
  'PUT /v1/conversations/:id/messages/:messageId': putMessageBody,
  'PUT /v1/conversations/:id/receipts': receiptsBody,
  'POST /v1/broadcasts': broadcastBody,
  'POST /v1/sync': syncRequest,
};
const QUERIES: Partial<Record<Call, z.ZodType>> = {
  'GET /v1/users': usersQuery,
  'GET /v1/contacts': pageQuery,
  'GET /v1/contacts/incoming': pageQuery,
  'GET /v1/blocks': pageQuery,
  'GET /v1/conversations': pageQuery,
  'GET /v1/conversations/:id/members': pageQuery,
  'GET /v1/conversations/:id/receipts': pageQuery,
  'GET /v1/conversations/:id/messages': historyQuery,
  'GET /v1/presence': presenceQuery,
  'GET /v1/media/:id/signed': signedMediaQuery,
};
/** Calls that would end the logins with which the run attacks. */
const ENDS_LOGIN: readonly Call[] = ['POST /v1/auth/logout', 'DELETE /v1/me/devices/:id'];
const CALLS = Object.keys(CALL_RATES) as Call[];

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'];
const ODD_PARTS = [
  '%00',
  '%ff',
  '%',
  '%u0041',
  '..',
  '..%2f..%2fetc%2fpasswd',
  '%2e%2e',
  ';',
  '//',
  '*',
  '__proto__',
  'constructor',
  '%0d%0aX-Forged:%201',
  '\u00e9',
  'x'.repeat(5_000),
  '?',
  '#',
];

const ODD_HEADERS: readonly string[] = [
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  'Expect: 100-continue',
  'Expect: the unexpected',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 3',
  'Content-Length: -1',
  'Content-Length: 1\r\nContent-Length: 2',
  'Content-Length: 99999999999999999999',
  'Content-Length: 0x10',
  'Content-Encoding: gzip',
  'Content-Encoding: br, br, br',
  'Content-Type: application/json; charset=utf-7',
  'Content-Type: application/json; charset=utf-16',
  'Content-Type: text/plain',
  'Content-Type: multipart/form-data; boundary=x',
  'Content-Type: \u00e9/\u00e9',
  'Authorization: Bearer',
  'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.',
  'Authorization: Basic YTpi',
  `Authorization: Bearer ${'A'.repeat(8_000)}`,
  'Cookie: __proto__=1; a=%00',
  'Host: evil.example:99999',
  'Origin: null',
  'Origin: https://evil.example',
  'X-Forwarded-For: 999.999.999.999, ::, \u0001',
  'X-Request-Id: \u001b[2J',
  'X-Conversation-Id: aaaaaaaaaaaaaaaaaaa',
  'X-Http-Method-Override: DELETE',
  'Range: bytes=0-0,-1,9999999999999999999-',
  'Range: bytes=-99999999999999999999',
  'If-None-Match: "a", W/"b", *',
  'Accept-Encoding: *;q=1e9',
  'No colon here',
  ' folded: x',
  'Bad Name: x',
  ': no name',
  'X-Nul: a\u0000b',
  `X-Long: ${'x'.repeat(17_000)}`,
  Array.from({ length: 2_100 }, (_, n) => `H${n}: ${n}`).join('\r\n'),
];

const CHUNKED = 'POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n';
const JSON_TYPE = 'Content-Type: application/json\r\n';

/** What is hardly HTTP. */
const ODD_REQUESTS: readonly string[] = [
  '\r\n\r\n',
  'hello\r\n\r\n',
  'GET /v1\r\n\r\n',
  'GET /v1 HTTP/0.9\r\n\r\n',
  'GET /v1 HTTP/1.1\r\n\r\n',
  'GET /v1 HTTP/9.9\r\nHost: x\r\n\r\n',
  'GET  /v1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET http://evil.example/v1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET //evil.example/v1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'GET /v1\u0000 HTTP/1.1\r\nHost: x\r\n\r\n',
  'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
  '*1\r\n$4\r\nPING\r\n',
  `${CHUNKED}${JSON_TYPE}\r\nzzz\r\n{}\r\n0\r\n\r\n`,
  `${CHUNKED}${JSON_TYPE}\r\nFFFFFFFFFFFFFFFFF\r\n{}\r\n`,
  `${CHUNKED}${JSON_TYPE}\r\n-2\r\n{}\r\n0\r\n\r\n`,
  `${CHUNKED}${JSON_TYPE}\r\n2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`,
  `${CHUNKED}${JSON_TYPE}\r\n2\r\n{}0\r\n\r\n`,
  `${CHUNKED}${JSON_TYPE}\r\n2\r\n{}\r\n0\r\nX-Trailer: ${'x'.repeat(20_000)}\r\n\r\n`,
  `${CHUNKED}${JSON_TYPE}\r\n${'1\r\n \r\n'.repeat(5_000)}0\r\n\r\n`,
  `${CHUNKED}Content-Length: 5\r\n\r\n0\r\n\r\nGET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n`,
  'GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(40),
];

/** A request for the wire, and the kind it is counted by. */
interface Hostile {
  kind: string;
  request: Buffer;
}

/** Hostile requests, with and without a login, spread over the gateways. One connection for each. */
export class HttpFuzz {
  /** By kind. */
  readonly sent = new Counts();
  /** By status; `closed`: no status, and the gateway ended the connection; `silent`: neither. */
  readonly answers = new Counts();
  /** Requests with an answer of 500, cut. */
  readonly failed: string[] = [];
  private readonly random: Random;
  private readonly requests: Iterator<Hostile, never>;
  private turn = 0;

  constructor(
    private readonly users: readonly ChatUser[],
    private readonly gatewayUrls: readonly string[],
    private readonly ids: FuzzIds,
    seed: number,
  ) {
    this.random = seededRandom(seed);
    this.requests = this.hostile(seed);
  }

  /** For so many milliseconds. */
  async run(forMs: number): Promise<void> {
    await paced(forMs, PER_SECOND, WORKERS, () => this.one());
  }

  private async one(): Promise<void> {
    const { kind, request } = this.requests.next().value;
    this.sent.add(kind);
    const base = this.gatewayUrls[this.turn++ % this.gatewayUrls.length]!;
    const answer = await exchange(base, request, this.random() < 0.5);
    this.answers.add(answer);
    if (answer === '500' && this.failed.length < MAX_EXAMPLES) {
      this.failed.push(request.toString('latin1').slice(0, 2_000));
    }
  }

  private of<T>(list: readonly T[]): T {
    return list[randomBelow(this.random, list.length)]!;
  }

  /** Requests without end; the same for each seed, but for ids and tokens. */
  private *hostile(seed: number): Generator<Hostile, never> {
    const samples = Object.fromEntries(
      Object.entries({ ...BODIES, ...QUERIES }).map(([call, schema]) => [
        call,
        fc.sample(validInputs(schema), { numRuns: BATCH, seed }),
      ]),
    );
    const change = fc.record({ fields: mutations, text: textMutations });
    for (let batch = 0; ; batch++) {
      for (const { fields, text } of fc.sample(change, { numRuns: BATCH, seed: seed + batch })) {
        const kind = this.random();
        if (kind < 0.1) {
          yield { kind: 'odd request', request: Buffer.from(this.of(ODD_REQUESTS), 'latin1') };
          continue;
        }
        const call = this.of(CALLS);
        const sample: unknown = samples[call] ? this.of(samples[call]) : { x: 1 };
        const request = this.call(call, sample, fields);
        if (kind < 0.8) yield { kind: 'mutated call', request: Buffer.from(request) };
        else yield { kind: 'mutated text', request: Buffer.from(mutatedText(request, text)) };
      }
    }
  }

  private call(call: Call, sample: unknown, changes: readonly Mutation[]): string {
    const [method = '', pattern = ''] = call.split(' ');
    const input = mutated(this.named(sample), changes);
    const path = this.path(pattern) + (QUERIES[call] ? `?${queryOf(input)}` : '');
    const body = method === 'GET' ? '' : call === 'POST /v1/media' ? PNG : jsonOf(input);
    const head = [
      `${this.random() < 0.9 ? method : this.of(METHODS)} ${path} HTTP/1.1`,
      'Host: 127.0.0.1',
      `Content-Type: ${call === 'POST /v1/media' ? 'image/png' : 'application/json'}`,
      `X-Conversation-Id: ${this.of(this.ids.conversations)}`,
    ];
    const user = this.of(this.users);
    if (this.random() < 0.8 && !ENDS_LOGIN.includes(call)) {
      head.push(`Authorization: Bearer ${user.accessToken}`);
    }
    if (this.random() < 0.3) head.push(this.of(ODD_HEADERS));
    if (this.random() < 0.8) head.push(`Content-Length: ${Buffer.byteLength(body)}`, '', body);
    else head.push('Transfer-Encoding: chunked', '', chunksOf(body));
    return head.join('\r\n');
  }

  private path(pattern: string): string {
    const real: Record<string, () => string> = {
      ':id': () => this.of([...this.ids.conversations, ...this.ids.users]),
      ':userId': () => this.of(this.ids.users),
      ':messageId': () => uuidv7(),
    };
    const filled = pattern.replace(/:\w+/g, (name) =>
      this.random() < 0.6 ? real[name]!() : this.random() < 0.5 ? this.of(ODD_PARTS) : this.text(),
    );
    return this.random() < 0.95 ? filled : `${filled}/${this.of(ODD_PARTS)}`;
  }

  /** Something hostile, as it may stand in a path. */
  private text(): string {
    return queryOf({ x: this.of(HOSTILE) }).slice(2, 8_000);
  }

  /** The input with users that exist, where it names some. */
  private named(input: unknown): unknown {
    if (typeof input !== 'object' || input === null || !('userIds' in input)) return input;
    if (!Array.isArray(input.userIds) || this.random() < 0.3) return input;
    return { ...input, userIds: input.userIds.map(() => this.of(this.ids.users)) };
  }
}

const PNG = '\u0089PNG\r\n\u001a\n';

const jsonOf = (value: unknown): string => JSON.stringify(value) ?? '';

/** A query of an object's fields; of anything else, one of it. */
function queryOf(input: unknown): string {
  const plain = typeof input === 'object' && input !== null && !Array.isArray(input);
  const fields = Object.entries(plain ? input : { x: input });
  const pairs = fields.map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value : jsonOf(value),
  ]);
  // what is above the bound of heads is refused before any endpoint: one in some is enough
  return new URLSearchParams(pairs).toString().slice(0, 17_000);
}

function chunksOf(body: string): string {
  if (body === '') return '0\r\n\r\n';
  return `${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

/**
 * Sends a request on a connection of its own. Answers with the first status, `closed` or `silent`.
 * @param half whether the sending side is ended at once, so that nothing can be waited for
 */
function exchange(base: string, request: Buffer, half: boolean): Promise<string> {
  const { port, hostname } = new URL(base);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let head = '';
    const end = (answer: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end('silent'), ANSWER_MS);
    socket.on('data', (data: Buffer) => {
      head += data.toString('latin1', 0, 200);
      // 100: go on, the answer is to come
      const status = /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 (?!100)(\d{3})/.exec(
        head,
      )?.[1];
      if (status !== undefined) end(status);
    });
    socket.on('error', () => end('closed'));
    socket.on('close', () => end('closed'));
    if (half) socket.end(request);
    else socket.write(request);
  });
}
