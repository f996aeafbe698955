import {
  isErrorCode,
  TidingsError,
  type ErrorCode,
  type FieldError,
} from '@tidings/protocol/errors';
import { InvalidCallError, NetworkError } from './errors';

/** What can be uploaded. A stream can be sent only once. */
export type UploadData = Blob | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;

/** Options of an upload. */
export interface UploadOptions {
  /**
   * Called with the number of bytes handed to the network; starts again from 0 with another
   * attempt.
   */
  onProgress?: (sent: number) => void;
  /** Aborts the upload. */
  signal?: AbortSignal;
}

/** One HTTP call. */
export interface HttpCall {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the server's address, e.g. `/v1/me`. */
  path: string;
  query?: Record<string, string | number | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as it is, in place of `body`. */
  bytes?: { data: UploadData; type: string; onProgress?: UploadOptions['onProgress'] };
  headers?: Record<string, string>;
  token?: string;
  /**
   * Whether it may be tried on another server when nobody knows if it was carried out, and again when the
   * server says after which time.
   */
  repeatable: boolean;
  signal?: AbortSignal;
  /** How long one server may take to answer, including waiting for a rate, in milliseconds. */
  timeoutMs?: number;
}

export interface HttpOptions {
  /** Base addresses, e.g. `http://127.0.0.1:8080`. The next is tried when one cannot be reached. */
  servers: readonly string[];
  fetch?: typeof fetch;
  /** Takes the `Date` header of answers. */
  onDate?: (date: string) => void;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** RFC 6585 §4. */
const TOO_MANY_REQUESTS = 429;
/** The most addresses that are added to the given ones. */
const MAX_ADDED = 16;

/** Errors of a connection that was never made: nothing was carried out. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

/**
 * JSON over HTTP to one of several equivalent servers. Refusals become {@link TidingsError}, a
 * silent network becomes {@link NetworkError}.
 */
export class HttpClient {
  private servers: readonly string[];
  private readonly fetch: typeof fetch;
  private current = 0;

  constructor(private readonly options: HttpOptions) {
    this.servers = options.servers.map(withoutSlash);
    const wrong = this.servers.filter((server) => !/^https?:$/.test(schemeOf(server)));
    if (this.servers.length === 0 || wrong.length > 0) {
      const rule = 'addresses like http://127.0.0.1:8080 are expected, at least one';
      const path = wrong.length > 0 ? `servers.${this.servers.indexOf(wrong[0]!)}` : 'servers';
      throw new InvalidCallError('new TidingsClient', [{ path, rule }]);
    }
    this.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  /** The server that is currently asked first. */
  get server(): string {
    return this.servers[this.current % this.servers.length]!;
  }

  /**
   * Adds addresses, which are tried when those before them do not answer. Of too many, those named
   * longest ago are dropped, except given ones and the one in use.
   */
  add(servers: readonly string[]): void {
    const given = this.options.servers.map(withoutSlash);
    const named = [...new Set(servers.map(withoutSlash))].slice(0, MAX_ADDED);
    const before = this.servers.filter((server) => !named.includes(server));
    const inUse = this.server;
    const kept = new Set([...given, inUse]);
    const added = [...before, ...named].filter((server) => !kept.has(server));
    this.servers = [...new Set([...given, ...added.slice(-MAX_ADDED), inUse])];
    this.current = this.servers.indexOf(inUse);
  }

  /**
   * Carries out a call and returns the JSON of its answer (undefined when there is none).
   *
   * @throws TidingsError when the server refuses
   * @throws NetworkError when no server can be reached
   */
  async request<T>(call: HttpCall): Promise<T> {
    return await readAnswer<T>(await this.inTime(call));
  }

  /**
   * Carries out a call and returns its response, whose body is still to be read. Throws like {@link
   * request}.
   */
  async open(call: HttpCall): Promise<Response> {
    const response = await this.inTime(call);
    if (!response.ok) await readAnswer(response);
    return response;
  }

  /**
   * The answer to a call; one that came too soon (429) waits as long as the server says and is asked again,
   * while that ends within the call's own time.
   */
  private async inTime(call: HttpCall): Promise<Response> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = call;
    const end = performance.now() + timeoutMs;
    let response = await this.answered(call);
    while (call.repeatable && response.status === TOO_MANY_REQUESTS) {
      const waitMs = waitOf(response);
      const leftMs = end - performance.now() - (waitMs ?? Infinity);
      if (waitMs === undefined || leftMs <= 0) break;
      // so that its connection is free for others
      await response.body?.cancel();
      await pause(waitMs, signal);
      response = await this.answered({ ...call, timeoutMs: Math.ceil(leftMs) });
    }
    return response;
  }

  private async answered(call: HttpCall): Promise<Response> {
    let last: unknown;
    for (let tried = 0; tried < this.servers.length; tried++) {
      const server = this.server;
      let response: Response;
      try {
        response = await this.ask(server, call);
      } catch (error) {
        call.signal?.throwIfAborted();
        this.leave(server);
        last = error;
        if (!call.repeatable && !neverSent(error)) break;
        continue;
      }
      if (response.status >= 500) this.leave(server);
      if (!isNobodys(response)) return response;
      // a proxy that knows no such server: nothing was carried out
      await response.body?.cancel().catch(() => undefined);
      this.leave(server);
      last = new NetworkError(`${server} is no server of Tidings`);
      if (call.bytes?.data instanceof ReadableStream) break;
    }
    throw new NetworkError(`Cannot reach ${this.servers.join(', ')}`, last);
  }

  private async ask(server: string, call: HttpCall): Promise<Response> {
    const timeout = AbortSignal.timeout(call.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    const headers: Record<string, string> = { accept: 'application/json', ...call.headers };
    if (call.token !== undefined) headers['authorization'] = `Bearer ${call.token}`;
    if (call.body !== undefined) headers['content-type'] = 'application/json';
    if (call.bytes) headers['content-type'] = call.bytes.type;
    const json = call.body === undefined ? undefined : JSON.stringify(call.body);
    const bytes = call.bytes && bodyOf(call.bytes);
    const response = await this.fetch(server + call.path + queryText(call.query), {
      method: call.method,
      headers,
      body: bytes ?? json,
      // A stream is sent while the answer is awaited; fetch requires this option then.
      ...(bytes instanceof ReadableStream && { duplex: 'half' as const }),
      signal: call.signal ? AbortSignal.any([timeout, call.signal]) : timeout,
    });
    const date = response.headers.get('date');
    if (date !== null) this.options.onDate?.(date);
    return response;
  }

  /** Asks another server from now on. */
  private leave(server: string): void {
    if (this.server === server) this.current = (this.current + 1) % this.servers.length;
  }
}

/** Size of the pieces in which an upload is handed over when its progress is reported, in bytes. */
const PIECE_BYTES = 64 * 1024;

/** The bytes as they are, or as a stream that reports how many of them were taken. */
function bodyOf({ data, onProgress }: NonNullable<HttpCall['bytes']>): UploadData {
  if (!onProgress || !(data instanceof Uint8Array)) return data;
  let sent = 0;
  onProgress(0);
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const piece = data.subarray(sent, sent + PIECE_BYTES);
        sent += piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (sent >= data.length) controller.close();
        onProgress(sent);
      },
    },
    { highWaterMark: 0 },
  );
}

function schemeOf(address: string): string {
  return URL.canParse(address) ? new URL(address).protocol : '';
}

function withoutSlash(address: string): string {
  return address.replace(/\/+$/, '');
}

function queryText(query: HttpCall['query']): string {
  const pairs = Object.entries(query ?? {}).filter((pair) => pair[1] !== undefined);
  if (pairs.length === 0) return '';
  return `?${new URLSearchParams(pairs.map(([k, v]): [string, string] => [k, String(v)])).toString()}`;
}

function neverSent(error: unknown): boolean {
  for (let e = error, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++) {
    const code = (e as Error & { code?: unknown }).code;
    if (typeof code === 'string' && NEVER_SENT.has(code)) return true;
  }
  return false;
}

async function readAnswer<T>(response: Response): Promise<T> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw new NetworkError('The answer broke off', error);
  }
  const json = parseJson(text);
  if (response.ok) {
    if (text !== '' && json === undefined) throw new NetworkError('The answer is not JSON');
    return json as T;
  }
  throw problemError(response, json);
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Whether a proxy speaks for a server that is not there: a 404 of a server is JSON, proxies have pages of
 * their own. Where the server has sent us elsewhere, as to a store of uploads, that one's answer counts.
 */
function isNobodys({ status, headers, redirected }: Response): boolean {
  const isJson = /^application\/(problem\+)?json\b/i.test(headers.get('content-type') ?? '');
  return status === 404 && !isJson && !redirected;
}

/** Reads a problem document (RFC 9457). Anything else is judged by its status. */
function problemError(response: Response, json: unknown): TidingsError {
  const problem = (typeof json === 'object' && json !== null ? json : {}) as Record<
    string,
    unknown
  >;
  const code = isErrorCode(problem['code']) ? problem['code'] : codeOfStatus(response.status);
  return new TidingsError(code, {
    detail: typeof problem['detail'] === 'string' ? problem['detail'] : undefined,
    errors: Array.isArray(problem['errors']) ? (problem['errors'] as FieldError[]) : undefined,
    retryAfterMs: waitOf(response),
  });
}

/** `Retry-After` in milliseconds; undefined unless it is a number of seconds. */
function waitOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/** Rejects with the signal's reason when it is aborted. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      if (signal?.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

function codeOfStatus(status: number): ErrorCode {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 413) return 'payload_too_large';
  if (status === 415 || status === 422) return 'unsupported_media';
  if (status === 429) return 'rate_limited';
  if (status >= 502 && status <= 504) return 'unavailable';
  return status >= 500 ? 'internal' : 'invalid_request';
}
