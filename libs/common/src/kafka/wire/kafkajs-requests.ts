/** What of kafkajs 2.2.4 requests and connections are made of. */

/** A request with its answer's decoder; `encode` returns what kafkajs' Encoder looks like. */
export interface ProtocolRequest<T> {
  request: {
    apiKey: number;
    apiVersion: number;
    apiName: string;
    encode(): Promise<{ buf: Buffer; buffer: Buffer }>;
  };
  response: { decode(raw: Buffer): Promise<unknown>; parse(data: unknown): Promise<T> };
}

/** The connections to one broker. */
export interface ConnectionPool {
  send<T>(request: ProtocolRequest<T>): Promise<T>;
  pool: { requestQueue: RequestQueue }[];
}

/** The requests of one connection, on their way and waiting. */
export interface RequestQueue {
  pending: readonly unknown[];
  rejectAll(error: Error): void;
  /** Looks later whether waiting requests can be sent. */
  scheduleCheckPendingRequests(): void;
}
