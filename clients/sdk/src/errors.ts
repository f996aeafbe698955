/** None of the servers could be reached, or none answered in time. The call may be repeated. */
export class NetworkError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'NetworkError';
  }
}

/** The client was stopped while this was under way, or needs a login first. */
export class StoppedError extends Error {
  constructor(message = 'The client is stopped') {
    super(message);
    this.name = 'StoppedError';
  }
}

/** The outbox holds as many messages as it may; nothing was taken. */
export class OutboxFullError extends Error {
  constructor(readonly limit: number) {
    super(`More than ${limit} messages are waiting to be sent`);
    this.name = 'OutboxFullError';
  }
}
