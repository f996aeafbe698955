/**
 * Every error of Tidings, over HTTP (RFC 9457 problem documents) and in frames. `status` is the
 * HTTP status. `retryable`: the same request may succeed later.
 */
export const ERRORS = {
  invalid_request: { status: 400, retryable: false, title: 'The request is not valid' },
  invalid_frame: { status: 400, retryable: false, title: 'The frame is not valid' },
  unknown_type: { status: 400, retryable: false, title: 'This frame type is not known' },
  unauthorized: { status: 401, retryable: false, title: 'Log in first' },
  token_expired: { status: 401, retryable: false, title: 'The access token has expired' },
  bad_credentials: { status: 401, retryable: false, title: 'User name or password is wrong' },
  refresh_expired: { status: 401, retryable: false, title: 'The refresh token has expired' },
  refresh_reused: { status: 401, retryable: false, title: 'The refresh token was used before' },
  logged_in_elsewhere: { status: 409, retryable: true, title: 'Logged in on another device' },
  forbidden: { status: 403, retryable: false, title: 'Not allowed for this role' },
  not_found: { status: 404, retryable: false, title: 'Not found' },
  method_not_allowed: { status: 405, retryable: false, title: 'Not with this method' },
  no_such_conversation: { status: 404, retryable: false, title: 'No such conversation' },
  blocked: { status: 403, retryable: false, title: 'Blocked' },
  message_id_conflict: {
    status: 409,
    retryable: false,
    title: 'This message id is taken by another sender or other content',
  },
  not_allowed: { status: 403, retryable: false, title: 'Not allowed' },
  text_too_long: { status: 413, retryable: false, title: 'The text is too long' },
  payload_too_large: { status: 413, retryable: false, title: 'The payload is too large' },
  unsupported_media: { status: 415, retryable: false, title: 'This media type is not supported' },
  media_not_found: { status: 404, retryable: false, title: 'No such media' },
  content_expired: { status: 410, retryable: false, title: 'The content has expired' },
  group_full: { status: 409, retryable: false, title: 'The group is full' },
  username_taken: { status: 409, retryable: false, title: 'The user name is taken' },
  email_taken: { status: 409, retryable: false, title: 'The e-mail address is taken' },
  username_invalid: { status: 400, retryable: false, title: 'The user name is not allowed' },
  weak_password: { status: 400, retryable: false, title: 'The password is too weak' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests' },
  busy: { status: 503, retryable: true, title: 'Busy; try again later' },
  spool_full: { status: 503, retryable: true, title: 'The spool is full' },
  unavailable: { status: 503, retryable: true, title: 'Not available right now' },
  internal: { status: 500, retryable: true, title: 'Something went wrong on the server' },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string }>;

/** A name in the table {@link ERRORS}. */
export type ErrorCode = keyof typeof ERRORS;

/**
 * Why an upgrade is refused as `busy`. `full` and `draining`: the gateway takes nobody for now, another
 * one does. `pace`: too many connect at this moment. `address`: this address has too many open.
 */
const BUSY_REASONS = ['full', 'draining', 'pace', 'address'] as const;

/** One of {@link BUSY_REASONS}. */
export type BusyReason = (typeof BUSY_REASONS)[number];

/** One invalid field of a request: a dotted path, and a reason for people. */
export interface FieldError {
  path: string;
  message: string;
}

/** What an error carries besides its code. */
export interface ErrorExtras {
  /** For people. Never reveals internals. */
  detail?: string;
  errors?: FieldError[];
  /** When a retry makes sense, in milliseconds from now. */
  retryAfterMs?: number;
  /** HTTP status, where another one is more precise than the code's own. */
  status?: number;
  /** Of a refused upgrade. */
  reason?: BusyReason;
  cause?: unknown;
}

/** The one error class that crosses layers. Its code decides the HTTP status and the frame. */
export class TidingsError extends Error {
  readonly code: ErrorCode;
  readonly errors?: FieldError[];
  readonly retryAfterMs?: number;
  readonly reason?: BusyReason;
  /** HTTP status, normally that of the code. */
  readonly status: number;

  constructor(code: ErrorCode, extras: ErrorExtras = {}) {
    super(extras.detail ?? ERRORS[code].title, { cause: extras.cause });
    this.name = 'TidingsError';
    this.code = code;
    this.errors = extras.errors;
    this.retryAfterMs = extras.retryAfterMs;
    this.reason = extras.reason;
    this.status = extras.status ?? ERRORS[code].status;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** Tells whether a value is one of {@link BUSY_REASONS}. */
export function isBusyReason(value: unknown): value is BusyReason {
  return BUSY_REASONS.includes(value as BusyReason);
}

/** Whether a string is one of our codes. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}
