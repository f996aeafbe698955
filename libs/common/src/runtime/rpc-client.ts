import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { isErrorCode, TidingsError } from '../contracts/errors';
import type { RpcInput, RpcOutput, RpcTable } from '../contracts/internal';
import { CLUSTER_HEADER, signCall } from './credentials';
import { decodeAnswer, type RpcAnswer } from './rpc-body';
import { RPC_PREFIX } from './rpc-server';

/** A node that has not sent a status line within this time is joined by another one, in ms. */
const SIGN_OF_LIFE_MS = 300;
/** How long such a node is skipped, in ms. */
const SKIP_MS = 5_000;
/** How long a node that refuses connections is skipped, in ms. */
const REFUSED_SKIP_MS = 1_000;
/**
 * A connection that is idle for so long is closed, in ms; earlier where the server names a shorter
 * time (its hint counts only when there is a limit of our own).
 */
const KEEP_IDLE_MS = 60_000;
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
 * within 300 ms is skipped for 5 s, and the call is asked of the next one too: the first answer
 * counts (a hedged request; every call may be repeated without harm).
 */
export class RpcClient<T extends RpcTable> {
  private readonly nodes: Node[];
  private readonly agent = new Agent({
    keepAlive: true,
    maxSockets: 64,
    scheduling: 'lifo',
    timeout: KEEP_IDLE_MS,
  });
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
    const answer = await this.hedged(name, body, timeoutMs);
    return this.table[name]!.output.parse(answer) as RpcOutput<T, K>;
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

  /** The first answer of the nodes, which are asked one after another while none is alive. */
  private hedged(name: string, body: string, timeoutMs: number): Promise<unknown> {
    const waiting = this.order();
    const asked = new Set<ClientRequest>();
    return new Promise((resolve, reject) => {
      let failure: unknown = new Error('no instance is known');
      let ended = false;
      const end = (): boolean => {
        if (ended) return false;
        ended = true;
        clearTimeout(deadline);
        for (const request of asked) request.destroy();
        return true;
      };
      const next = (): void => {
        const node = ended ? undefined : waiting.shift();
        if (node) ask(node);
        else if (asked.size === 0 && end()) reject(new RpcUnreachable(failure));
      };
      const ask = (node: Node): void => {
        const request = this.post(node, name, body, {
          silent: next,
          failed: (error) => {
            asked.delete(request);
            failure = error;
            // A kept connection that the node has closed meanwhile says nothing about the node.
            if (!ended && request.reusedSocket && isReset(error)) ask(node);
            else next();
          },
          answered: (answer) => {
            asked.delete(request);
            if (end()) settle(answer, resolve, reject);
          },
        });
        asked.add(request);
      };
      const deadline = setTimeout(() => {
        if (end()) reject(new RpcUnreachable(new Error(`no answer within ${timeoutMs} ms`)));
      }, timeoutMs);
      next();
    });
  }

  private post(node: Node, name: string, body: string, on: PostEvents): ClientRequest {
    const path = RPC_PREFIX + name;
    const { nodeId, secret } = this.options;
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
    const life = setTimeout(() => {
      node.skippedUntil = performance.now() + SKIP_MS;
      on.silent();
    }, SIGN_OF_LIFE_MS);
    request.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(life);
      if (error.code === 'ECONNREFUSED') node.skippedUntil = performance.now() + REFUSED_SKIP_MS;
      on.failed(error);
    });
    request.on('response', (response) => {
      clearTimeout(life);
      node.skippedUntil = 0;
      readAnswer(response, on);
    });
    request.on('close', () => clearTimeout(life));
    request.end(body);
    return request;
  }
}

/** Whether a connection ended under a call. */
function isReset({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** What can happen to a posted call; `failed` says nothing about its outcome. */
interface PostEvents {
  silent(): void;
  failed(error: Error): void;
  answered(answer: RpcAnswer): void;
}

function settle(
  answer: RpcAnswer,
  resolve: (value: unknown) => void,
  reject: (error: Error) => void,
): void {
  if (!answer.error) return resolve(answer.ok);
  const { code, detail, errors, retryAfterMs } = answer.error;
  reject(new TidingsError(isErrorCode(code) ? code : 'internal', { detail, errors, retryAfterMs }));
}

function readAnswer(response: IncomingMessage, on: PostEvents): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > ANSWER_LIMIT) response.destroy(new Error('the answer is too large'));
    else chunks.push(chunk);
  });
  response.on('end', () => {
    try {
      on.answered(decodeAnswer(chunks));
    } catch (error) {
      on.failed(error as Error);
    }
  });
  response.on('error', on.failed);
}
