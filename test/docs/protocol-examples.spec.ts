import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { adminSession, adminUser, cluster, disableBody, endBody } from '@tidings/protocol/admin';
import { CALL_BOUNDS } from '@tidings/protocol/bounds';
import { broadcast, broadcastBody } from '@tidings/protocol/broadcasts';
import { message } from '@tidings/protocol/content';
import { ERRORS, type ErrorCode } from '@tidings/protocol/errors';
import {
  clientFrame,
  parseClientFrame,
  serverFrame,
  syncedBody,
  syncRequest,
} from '@tidings/protocol/frames';
import * as http from '@tidings/protocol/http';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { position } from '@tidings/protocol/positions';
import { storedTrace, traceQuery } from '@tidings/protocol/trace';
import { frameExamples, httpExamples, type HttpExample } from './page-examples';
import { readFrame } from '../../clients/sdk/src/frames';

const page = readFileSync(join(__dirname, '../../docs/PROTOCOL.md'), 'utf8');

const tokens = z.object({
  accessToken: z.string(),
  expiresInSeconds: z.number(),
  refreshToken: z.string(),
}) satisfies z.ZodType<http.Tokens>;
const login = tokens.extend({
  deviceId: uuid,
  user: http.user,
}) satisfies z.ZodType<http.LoginAnswer>;
const connections = z.object({
  ticket: z.string(),
  expiresInSeconds: z.number(),
  gateways: z.array(z.object({ id: z.string(), url: z.url() })),
  heartbeatSeconds: z.number(),
  backoff: z.object({ baseMs: z.number(), maxMs: z.number() }),
}) satisfies z.ZodType<http.ConnectionsAnswer>;
const media = z.object({
  mediaId: uuid,
  width: z.number(),
  height: z.number(),
  size: z.number(),
  type: z.string(),
}) satisfies z.ZodType<http.MediaAnswer>;
const mediaUrl = z.object({
  url: z.string(),
  thumbnailUrl: z.string(),
  expiresAt: z.string(),
}) satisfies z.ZodType<http.MediaUrlAnswer>;
const trace = storedTrace.extend({
  conversationId,
  messageId: uuid,
  logged: z.string().nullable(),
  routed: z.string().nullable(),
});
const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
  requestId: z.string(),
  retryable: z.boolean(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
}) satisfies z.ZodType<http.Problem>;
const service = z.object({
  versions: z.array(z.string()),
  features: z.array(z.string()),
  limits: z.record(z.string(), z.number()),
  rates: z.record(
    z.string(),
    z.object({ per: z.string(), burst: z.number(), perMinute: z.number() }),
  ),
  login: z.array(z.string()),
  policy: z.string(),
  users: z.string(),
});
const sent = z.object({ messageId: uuid, conversationId, position, sentAt: z.string() });
const list = (item: z.ZodType) => z.object({ items: z.array(item), cursor: z.string().optional() });

const NOTHING = z.undefined();
const { pageQuery } = http;
/** What each call takes (body, or else query) and answers. */
const CALLS: Record<string, [asked: z.ZodType, answered: z.ZodType]> = {
  'GET /v1': [NOTHING, service],
  'POST /v1/users': [http.registerBody, http.user],
  'POST /v1/auth/login': [http.loginBody, login],
  'POST /v1/auth/refresh': [http.refreshBody, tokens],
  'POST /v1/auth/logout': [NOTHING, NOTHING],
  'GET /v1/me': [NOTHING, http.me],
  'PATCH /v1/me': [http.patchMeBody, http.me],
  'POST /v1/me/password': [http.passwordBody, NOTHING],
  'GET /v1/me/devices': [
    NOTHING,
    list(http.device).extend({ failedLogins: http.failedLogins.optional() }),
  ],
  'DELETE /v1/me/devices/:id': [NOTHING, NOTHING],
  'GET /v1/users': [http.usersQuery, list(http.user)],
  'GET /v1/users/:id': [NOTHING, http.user],
  'GET /v1/contacts': [pageQuery, list(http.contact)],
  'GET /v1/contacts/incoming': [pageQuery, list(http.user)],
  'PUT /v1/contacts/:userId': [NOTHING, http.contact],
  'DELETE /v1/contacts/:userId': [NOTHING, NOTHING],
  'GET /v1/blocks': [pageQuery, list(http.block)],
  'PUT /v1/blocks/:userId': [NOTHING, http.block],
  'DELETE /v1/blocks/:userId': [NOTHING, NOTHING],
  'POST /v1/connections': [http.connectionsBody, connections],
  'GET /v1/ws': [NOTHING, NOTHING],
  'POST /v1/conversations': [http.conversationBody, http.conversation],
  'GET /v1/conversations': [pageQuery, list(http.conversation)],
  'GET /v1/conversations/:id': [NOTHING, http.conversation],
  'PATCH /v1/conversations/:id': [http.conversationPatch, http.changedConversation],
  'GET /v1/conversations/:id/members': [pageQuery, list(http.member)],
  'POST /v1/conversations/:id/members': [http.addMembersBody, http.changedConversation],
  'PATCH /v1/conversations/:id/members/:userId': [http.memberPatch, http.changedConversation],
  'DELETE /v1/conversations/:id/members/:userId': [NOTHING, NOTHING],
  'GET /v1/conversations/:id/messages': [
    http.historyQuery,
    z.object({ items: z.array(message), more: z.boolean() }),
  ],
  'PUT /v1/conversations/:id/messages/:messageId': [http.putMessageBody, sent],
  'GET /v1/conversations/:id/messages/:messageId/trace': [traceQuery, trace],
  'GET /v1/conversations/:id/receipts': [pageQuery, list(http.receipt)],
  'PUT /v1/conversations/:id/receipts': [http.receiptsBody, z.object({})],
  'POST /v1/broadcasts': [broadcastBody, broadcast],
  'GET /v1/broadcasts/:id': [NOTHING, broadcast],
  'DELETE /v1/broadcasts/:id': [NOTHING, NOTHING],
  'POST /v1/sync': [syncRequest, syncedBody],
  'GET /v1/presence': [http.presenceQuery, list(http.presence)],
  'POST /v1/media': [NOTHING, media],
  'GET /v1/media/:id': [NOTHING, NOTHING],
  'GET /v1/media/:id/thumbnail': [NOTHING, NOTHING],
  'GET /v1/media/:id/url': [NOTHING, mediaUrl],
  'GET /v1/media/:id/signed': [http.signedMediaQuery, NOTHING],
  'GET /v1/cluster': [NOTHING, cluster],
  'GET /v1/admin/roles': [pageQuery, list(adminUser)],
  'PUT /v1/admin/users/:id/roles/:role': [NOTHING, NOTHING],
  'DELETE /v1/admin/users/:id/roles/:role': [NOTHING, NOTHING],
  'POST /v1/admin/users/:id/disable': [disableBody, adminUser],
  'POST /v1/admin/users/:id/enable': [z.object({}), adminUser],
  'POST /v1/admin/users/:id/end': [endBody, adminUser],
  'GET /v1/admin/users/:id/sessions': [NOTHING, list(adminSession)],
};

/** Which call an example is of; undefined: of none. */
function callOf({ method, path }: Pick<HttpExample, 'method' | 'path'>): string | undefined {
  return Object.keys(CALL_BOUNDS)
    .filter((call) => {
      const [verb, pattern = ''] = call.split(' ');
      return verb === method && new RegExp(`^${pattern.replaceAll(/:\w+/g, '[^/:]+')}$`).test(path);
    })
    .sort((a, b) => a.split(':').length - b.split(':').length)[0];
}

/** What is wrong with an example of a call; null: nothing. */
function faultOf(example: HttpExample): string | null {
  const [asked, answered] = CALLS[callOf(example) ?? ''] ?? [];
  if (!asked || !answered) return 'no such call';
  const query = Object.keys(example.query).length > 0 ? example.query : undefined;
  const input = example.method === 'GET' ? query : example.body;
  const isList = example.method === 'GET' && input === undefined;
  if (!isList && !asked.safeParse(input).success) return `asked: ${asked.safeParse(input).error}`;
  const answer = example.status >= 400 ? problem : answered;
  return differs(answer, example.answer);
}

/** Parsed it must be as before: a field that the schema does not know is not one of the protocol. */
function differs(schema: z.ZodType, value: unknown): string | null {
  const parsed = schema.safeParse(value);
  if (!parsed.success) return String(parsed.error);
  return JSON.stringify(sorted(parsed.data)) === JSON.stringify(sorted(value))
    ? null
    : 'a field that does not exist';
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}

describe('the examples of docs/PROTOCOL.md', () => {
  const calls = httpExamples(page);
  const frames = frameExamples(page);

  it.each(calls.map((call) => [`${call.method} ${call.path} ${call.status}`, call] as const))(
    '%s is as the schemas say',
    (_name, call) => expect(faultOf(call)).toBeNull(),
  );

  it('of frames are as the schemas say', () => {
    for (const { from, text } of frames) {
      if (from === 'client') expect(parseClientFrame(text)).toHaveProperty('frame');
      else expect([text, differs(serverFrame, JSON.parse(text))]).toEqual([text, null]);
    }
  });

  it('of frames are read by the SDK as they came', () => {
    for (const { text } of frames.filter(({ from }) => from === 'server')) {
      expect(readFrame(text)).toEqual(JSON.parse(text));
    }
  });

  it('are of every call', () => {
    const shown = new Set(calls.map(callOf));
    const missing = Object.keys(CALL_BOUNDS).filter((call) => !shown.has(call));
    expect(missing).toEqual([]);
  });

  it('are of every frame', () => {
    const shown = new Set(frames.map(({ from, text }) => `${from} ${typeOf(text)}`));
    const all = [
      ...clientFrame.options.map((o) => `client ${o.shape.type.value}`),
      ...serverFrame.options.map((o) => `server ${o.shape.type.value}`),
    ];
    expect(all.filter((one) => !shown.has(one))).toEqual([]);
  });
});

const typeOf = (text: string): string => (JSON.parse(text) as { type: string }).type;

describe('a broken example is found', () => {
  const example = httpExamples(
    '```http\nPOST /v1/auth/refresh\n{"refreshToken":"R"}\n\n200\n{"accessToken":"A","expiresInSeconds":900,"refreshToken":"R"}\n```\n',
  )[0]!;

  it('by a call, a field or an answer that does not exist', () => {
    expect(faultOf(example)).toBeNull();
    expect(faultOf({ ...example, path: '/v1/auth/renew' })).toBe('no such call');
    expect(faultOf({ ...example, body: { refreshToken: 'R', more: 1 } })).toContain('asked');
    expect(faultOf({ ...example, answer: { accessToken: 'A' } })).not.toBeNull();
    const more = { ...(example.answer as object), scope: 'all' };
    expect(faultOf({ ...example, answer: more })).toBe('a field that does not exist');
  });
});
