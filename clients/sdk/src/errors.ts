/**
 * What a call of the SDK can fail with, besides the server's refusals ({@link TidingsError} with the
 * codes of docs/PROTOCOL.md). `code` is for programs, `message` for the developer; both are stable
 * enough to log, only `code` to decide by.
 *
 * | class | code | whose turn it is |
 * |---|---|---|
 * | InvalidCallError | `invalid_call` | the developer's: `problems` names each argument and its rule |
 * | StoppedError | `not_started`, `not_logged_in`, `started_twice`, `stopped` | the developer's, or nobody's at the end |
 * | UnsupportedError | `unsupported` | the developer's: this environment lacks something |
 * | OutboxFullError | `outbox_full` | the person's: wait; `limit` is how many fit |
 * | StoreError | `store_failed` | the machine's; `cause` has what it said |
 * | NetworkError | `network` | nobody's: the call may be repeated |
 */
export abstract class ClientError extends Error {
  abstract readonly code: ClientErrorCode;
}

/** Codes of {@link ClientError}. None of them is also a code of the server. */
export type ClientErrorCode =
  | 'network'
  | 'not_started'
  | 'not_logged_in'
  | 'started_twice'
  | 'stopped'
  | 'outbox_full'
  | 'invalid_call'
  | 'unsupported'
  | 'store_failed';

/** No server could be reached, or none answered in time. The call may be repeated. */
export class NetworkError extends ClientError {
  readonly code = 'network';

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'NetworkError';
  }
}

/** Why a client does not accept a call in its present state. */
export type StoppedCode = 'not_started' | 'not_logged_in' | 'started_twice' | 'stopped';

const STOPPED: Record<StoppedCode, string> = {
  not_started: 'The client is not started: await client.start() first',
  not_logged_in: 'Nobody is logged in: login() or restore() first',
  started_twice: 'A client starts only once: make another one',
  stopped: 'The client is stopped',
};

/** The client was stopped during the call, or is not ready for it: `code` says which. */
export class StoppedError extends ClientError {
  constructor(readonly code: StoppedCode = 'stopped') {
    super(STOPPED[code]);
    this.name = 'StoppedError';
  }
}

/** The outbox is full; nothing was accepted. */
export class OutboxFullError extends ClientError {
  readonly code = 'outbox_full';

  constructor(readonly limit: number) {
    super(`More than ${limit} messages are waiting to be sent`);
    this.name = 'OutboxFullError';
  }
}

/** One invalid argument of a call. */
export interface CallProblem {
  /** Dotted path of the argument, e.g. `content.mediaId`. */
  path: string;
  /** What is expected, e.g. `a lower-case UUID is expected`. */
  rule: string;
}

/** A call that can never succeed as it was made. Nothing was sent, kept or requested. */
export class InvalidCallError extends ClientError {
  readonly code = 'invalid_call';

  constructor(
    /** The method, e.g. `send`. */
    readonly call: string,
    /** What is wrong with its arguments; at least one problem. */
    readonly problems: readonly CallProblem[],
  ) {
    super(`${call}: ${problems.map(({ path, rule }) => `${path}: ${rule}`).join('; ')}`);
    this.name = 'InvalidCallError';
  }
}

/** This environment lacks something that the call needs. */
export class UnsupportedError extends ClientError {
  readonly code = 'unsupported';

  constructor(
    /** E.g. `WebSocket`. */
    readonly missing: string,
  ) {
    super(`This environment has no ${missing}`);
    this.name = 'UnsupportedError';
  }
}

/** The store of unsent messages cannot be used. */
export class StoreError extends ClientError {
  readonly code = 'store_failed';

  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'StoreError';
  }
}
