import { connect } from 'node:net';

const PROBE_TIMEOUT_MS = 2000;

/** Sends bytes to a loopback port and hands back what came, as soon as `enough` says so; undefined on any failure. */
function ask(
  port: number,
  request: Buffer,
  enough: (answer: Buffer) => boolean,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (result: Buffer | undefined): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => finish(undefined));
    socket.once('connect', () => socket.write(request));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (enough(answer)) finish(answer);
    });
  });
}

/** Kafka's ApiVersions request, version 0 (Kafka protocol guide, "ApiVersions API"), with its length in front. */
function apiVersionsRequest(correlationId: number): Buffer {
  const request = Buffer.alloc(14);
  request.writeInt32BE(10, 0);
  request.writeInt16BE(18, 4);
  request.writeInt16BE(0, 6);
  request.writeInt32BE(correlationId, 8);
  request.writeInt16BE(-1, 12);
  return request;
}

/** Whether a Kafka broker answers ApiVersions on this loopback port without an error. */
export async function kafkaAnswers(port: number): Promise<boolean> {
  const id = 7;
  const answer = await ask(port, apiVersionsRequest(id), (bytes) => bytes.length >= 10);
  return answer !== undefined && answer.readInt32BE(4) === id && answer.readInt16BE(8) === 0;
}

/** Whether Redis answers PING on this loopback port (not while it is still loading its data). */
export async function redisAnswers(port: number, password: string): Promise<boolean> {
  const request = Buffer.from(`AUTH ${password}\r\nPING\r\n`);
  const answer = await ask(port, request, (bytes) => /\r\n[^]*\r\n/.test(bytes.toString('latin1')));
  return answer?.toString('latin1') === '+OK\r\n+PONG\r\n';
}

/** Whether an HTTP address answers 200 within two seconds. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
