import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { isErrorCode, TidingsError, type FieldError } from '../contracts/errors';
import type { RpcInput, RpcOutput, RpcTable } from '../contracts/internal';
import { CLUSTER_HEADER, signCall } from './credentials';
import { RPC_PREFIX } from './rpc-server';

/** A node that has not sent a status line within this time is given up for another, in ms. */
const SIGN_OF_LIFE_MS = 300;
/** How long such a node is skipped, in ms. */
const SKIP_MS = 5_000;
/** Largest answer that is read, in bytes. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

interface Node {
  url: URL;
  skippedUntil: number;
}

/** No instance answered; the outcome of the call is unknown. */
export class RpcUnreachable extends TidingsError {
  constructor(cause: unknown) {
    super('unavailable', { detail: 'The service is not reachable right now', cause });
  }
}

/**
 * Calls another service's internal interface. Instances take turns; one that shows no sign of life
 * within 300 ms is skipped for 5 s and the call goes to the next.
 */
export class RpcClient<T extends RpcTable> {
  private readonly nodes: Node[];
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64, scheduling: 'lifo' });
  private turn = 0;

  constructor(
    private readonly table: T,
    private readonly options: { urls: string[]; nodeId: string; secret: string },
  ) {
    this.nodes = options.urls.map((url) => ({ url: new URL(url), skippedUntil: 0 }));
  }

  /**
   * One call. Throws {@link TidingsError} with the callee's code, `unavailable` when no instance
   * answers within `timeoutMs` in all.
   */
  async call<K extends keyof T & string>(
    name: K,
    input: RpcInput<T, K>,
    { timeoutMs = 3_000 }: { timeoutMs?: number } = {},
  ): Promise<RpcOutput<T, K>> {
    const body = JSON.stringify(input);
    const deadline = performance.now() + timeoutMs;
    let failure: unknown = new Error('no instance is known');
    for (const node of this.order()) {
      const left = deadline - performance.now();
      if (left <= 0) break;
      try {
        const answer = await this.post(node, name, body, left);
        return this.table[name]!.output.parse(answer) as RpcOutput<T, K>;
      } catch (error) {
        if (error instanceof TidingsError) throw error;
        failure = error;
      }
    }
    throw new RpcUnreachable(failure);
  }

  /** Ends the kept connections. */
  close(): void {
    this.agent.destroy();
  }

  /** Healthy nodes first, in turn; skipped ones last, so that a call always tries something. */
  private order(): Node[] {
    const start = this.turn++ % this.nodes.length;
    const turned = [...this.nodes.slice(start), ...this.nodes.slice(0, start)];
    const now = performance.now();
    const healthy = turned.filter((n) => n.skippedUntil <= now);
    return [...healthy, ...turned.filter((n) => n.skippedUntil > now)];
  }

  private post(node: Node, name: string, body: string, timeoutMs: number): Promise<unknown> {
    const path = RPC_PREFIX + name;
    const { nodeId, secret } = this.options;
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        agent: this.agent,
        host: node.url.hostname,
        port: node.url.port || 80,
        path,
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          [CLUSTER_HEADER]: signCall(secret, { nodeId, atMs: Date.now(), path, body }),
        },
      });
      const fail = (error: Error): void => {
        clearTimeout(life);
        clearTimeout(whole);
        request.destroy();
        reject(error);
      };
      const life = setTimeout(() => {
        node.skippedUntil = performance.now() + SKIP_MS;
        fail(new Error(`${node.url.host} shows no sign of life`));
      }, SIGN_OF_LIFE_MS);
      const whole = setTimeout(
        () => fail(new TidingsError('unavailable', { detail: 'The answer took too long' })),
        timeoutMs,
      );
      request.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') node.skippedUntil = performance.now() + SKIP_MS / 5;
        fail(error);
      });
      request.on('response', (response) => {
        clearTimeout(life);
        node.skippedUntil = 0;
        readAnswer(response).then(
          (answer) => {
            clearTimeout(whole);
            resolve(answer);
          },
          (error: Error) => fail(error),
        );
      });
      request.end(body);
    });
  }
}

async function readAnswer(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_LIMIT) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  const answer = JSON.parse(Buffer.concat(chunks).toString('utf8')) as {
    ok?: unknown;
    error?: { code: string; detail: string; errors?: FieldError[]; retryAfterMs?: number };
  };
  if (!answer.error) return answer.ok;
  const { code, detail, errors, retryAfterMs } = answer.error;
  throw new TidingsError(isErrorCode(code) ? code : 'internal', { detail, errors, retryAfterMs });
}
