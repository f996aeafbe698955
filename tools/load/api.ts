import { setTimeout as delay } from 'node:timers/promises';

/** A call that was not answered as expected; the message says which and how. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    message: string,
    /** HTTP status; 0: no answer */
    readonly status: number,
    readonly retryAfterMs: number,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 15_000;
const RETRY_MS = 200;
const SERVER_ERROR = 500;
const ATTEMPTS = 10;

/** One HTTP call of the client protocol. */
export interface ApiCall {
  /** `http://host:port` */
  base: string;
  method: 'GET' | 'POST';
  path: string;
  token: string;
  body?: unknown;
}

/**
 * Makes one call and hands back the JSON.
 * @throws ApiError on any status but 2xx, or without an answer within 15 s.
 */
export async function callApi(call: ApiCall): Promise<unknown> {
  const { base, method, path, token, body } = call;
  let response: Response;
  try {
    response = await fetch(base + path, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    throw new ApiError(`${method} ${base}${path}: ${reasonOf(error)}`, 0, RETRY_MS);
  }
  const text = await response.text();
  if (response.ok) return text === '' ? null : JSON.parse(text);
  const retryAfter = Number(response.headers.get('retry-after'));
  throw new ApiError(
    `${method} ${path} was answered ${response.status}: ${text.slice(0, 300)}`,
    response.status,
    retryAfter > 0 ? retryAfter * 1000 : RETRY_MS,
  );
}

/**
 * Does `work` again, ten times in all, as long as the servers are busy or do not answer; for calls
 * that may be repeated.
 */
export async function patiently<T>(work: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt);
    } catch (error) {
      const passing =
        error instanceof ApiError && (error.status >= SERVER_ERROR || error.status === 0);
      if (!passing || attempt === ATTEMPTS) throw error;
      await delay(error.retryAfterMs);
    }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/**
 * Calls `work` for 0 … count − 1, at most `concurrency` at a time; rejects with the first error when
 * those under way have settled.
 */
export async function inParallel(
  count: number,
  concurrency: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < count && !failed) {
      try {
        await work(next++);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(concurrency, count) }, lane);
  const results = await Promise.allSettled(lanes);
  const first = results.find((result) => result.status === 'rejected');
  if (first) throw first.reason;
}
