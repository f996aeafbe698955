/** The types that requests and connections of kafkajs 2.2.4 consist of. */

/** A request with the decoder of its answer. `encode` returns what looks like kafkajs' Encoder. */
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

/** The requests of one connection: in flight, and waiting. */
export interface RequestQueue {
  pending: readonly unknown[];
  rejectAll(error: Error): void;
  /** Checks later whether waiting requests can be sent. */
  scheduleCheckPendingRequests(): void;
}
