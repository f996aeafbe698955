import type { ChatUser } from './chat-user';
import type { Frame, TestSocket } from './test-socket';

/** A call as a probe makes it; `body` is sent as JSON unless it is bytes. */
export interface ProbeCall {
  method: string;
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** What came back, without what differs by nature. */
export interface Outcome {
  status: number;
  headers: Record<string, string | null>;
  body: unknown;
}

/** Headers that could tell something; the others differ by nature or are always the same. */
const TELLING_HEADERS = [
  'content-type',
  'content-length',
  'cache-control',
  'etag',
  'accept-ranges',
  'content-range',
  'content-disposition',
  'retry-after',
  'allow',
  'location',
];
/** Fields that differ from one answer to the next. */
const CHANGING = new Set(['requestId', 'sentAt', 'position', 'since', 'serverTime', 'expiresAt']);
const UUIDS = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
const PROBE_TIMEOUT_MS = 60_000;

/** Makes one call and describes the answer; `ids`: what the caller named, replaced by their names. */
export async function probeCall(
  user: ChatUser,
  call: ProbeCall,
  ids: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const bytes = call.body instanceof Uint8Array;
  const response = await fetch(user.bases[0]! + call.path, {
    method: call.method,
    headers: {
      authorization: `Bearer ${user.accessToken}`,
      ...(call.body !== undefined && !bytes && { 'content-type': 'application/json' }),
      ...call.headers,
    },
    body: bytes ? (call.body as Uint8Array<ArrayBuffer>) : JSON.stringify(call.body),
    signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
  });
  const text = await response.text();
  const named = TELLING_HEADERS.map((name) => [name, response.headers.get(name)] as const);
  return {
    status: response.status,
    headers: Object.fromEntries(named),
    body: anonymous(parsed(text), ids, call.path),
  };
}

/** Types of frames that answer a client's frame. */
const ANSWERS = new Set(['error', 'sent', 'held', 'changed', 'synced']);

/**
 * Sends one frame and describes the answer; null when none had come by the time a later `sync` was
 * answered (some frames have none).
 */
export async function probeFrame(
  socket: TestSocket,
  frame: Frame,
  ids: Readonly<Record<string, string>>,
): Promise<unknown> {
  const from = socket.frames.length;
  const about = frame['ref'] ?? frame['changeId'] ?? frame['messageId'];
  const isAbout = (f: Frame): boolean =>
    about === undefined
      ? f['conversationId'] === frame['conversationId'] && f['ref'] === undefined
      : [f['ref'], f['changeId'], f['messageId']].includes(about);
  const isAnswer = (f: Frame): boolean =>
    ANSWERS.has(f.type) && isAbout(f) && socket.frames.indexOf(f) >= from;
  socket.send(frame);
  if (frame.type === 'typing') {
    const conversations = [{ conversationId: 'nowhere', position: '0' }];
    socket.send({ type: 'sync', ref: 'probe-end', conversations });
    await socket.find((f) => f['ref'] === 'probe-end' && socket.frames.indexOf(f) >= from);
    return anonymous(socket.frames.find(isAnswer) ?? null, ids, '');
  }
  return anonymous(await socket.find(isAnswer), ids, JSON.stringify(frame));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/**
 * The answer with the caller's ids by name (those he made up for the `request`: `<new>`) and without
 * what changes from answer to answer.
 */
function anonymous(
  value: unknown,
  ids: Readonly<Record<string, string>>,
  request: string,
): unknown {
  let text = JSON.stringify(value, (key, field: unknown) =>
    CHANGING.has(key) || isAsOf(key, field) ? undefined : field,
  );
  for (const [name, id] of Object.entries(ids)) text = text.replaceAll(`"${id}"`, `"<${name}>"`);
  for (const [id] of request.matchAll(UUIDS)) text = text.replaceAll(id, '<new>');
  return JSON.parse(text) as unknown;
}

/** The version of a presence is the time of the answer; that of a conversation counts. */
function isAsOf(key: string, field: unknown): boolean {
  return key === 'version' && typeof field === 'number' && field > 1e14;
}
