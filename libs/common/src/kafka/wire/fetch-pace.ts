import { FETCH_VERSION, type FetchAnswer } from './fetch-decoder';
import type { ConnectionPool, ProtocolRequest } from './kafkajs-requests';

/** API key of Fetch. */
const FETCH = 1;
/**
 * A Fetch request, version 11, begins with replica id, maximum wait and minimum bytes: INT32 each.
 */
const MAX_WAIT_AT = 4;
const MIN_BYTES_AT = 8;

/**
 * Lets fetches of an idle log wait long, and return with the first record: after an answer without
 * records the next request on this connection is a patient one. A busy log is read as configured
 * (many bytes, or a short wait). So an idle consumer costs a few requests a second instead of
 * dozens, and the first record of a burst arrives earlier than it would have.
 * @param idleWaitMs how long such a fetch waits; also how much later the first fetch of a partition
 * is that was paused or assigned meanwhile
 */
export function paceFetches(pool: ConnectionPool, idleWaitMs: number): void {
  const send = pool.send.bind(pool);
  let idle = false;
  pool.send = async <T>(request: ProtocolRequest<T>): Promise<T> => {
    const { apiKey, apiVersion } = request.request;
    if (apiKey !== FETCH || apiVersion !== FETCH_VERSION) return send(request);
    const answer = await send(idle ? patient(request, idleWaitMs) : request);
    idle = isEmpty(answer as FetchAnswer);
    return answer;
  };
}

function isEmpty({ responses }: FetchAnswer): boolean {
  return responses.every(({ partitions }) => partitions.every((p) => p.messages.length === 0));
}

/** The same request, waiting this long for a single byte. */
function patient<T>({ request, response }: ProtocolRequest<T>, waitMs: number): ProtocolRequest<T> {
  const encode = async () => {
    const encoder = await request.encode();
    encoder.buf.writeInt32BE(waitMs, MAX_WAIT_AT);
    encoder.buf.writeInt32BE(1, MIN_BYTES_AT);
    return encoder;
  };
  return { request: { ...request, encode }, response };
}
