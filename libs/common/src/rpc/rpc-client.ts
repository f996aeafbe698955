import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { ERRORS, isErrorCode, TidingsError } from '@tidings/protocol/errors';
import { addressesOf, type Listed } from './addresses';
import type { RpcInput, RpcOutput, RpcTable } from './calls';
import type { CallFailure, CallReport } from './call-watch';
import { callName, CLUSTER_HEADER, RECEIVER_HEADER, signCall } from './credentials';
import { decodeAnswer, type RpcAnswer } from './rpc-body';
import { RPC_PREFIX } from './rpc-server';

/** If a node gives no sign of life within this time, another one is asked as well; milliseconds. */
const SIGN_OF_LIFE_MS = 300;
/** How long such a node is skipped, in milliseconds. */
const SKIP_MS = 5_000;
/** How long a node that refuses connections, or is starting, is skipped, in milliseconds. */
const REFUSED_SKIP_MS = 1_000;
/**
 * A connection that is idle for this long is closed, in milliseconds; earlier if the server names a
 * shorter time (its hint only counts if we have a limit of our own).
 */
const KEEP_IDLE_MS = 60_000;
/**
 * How often one call may learn that an address belongs to another process than the one it was
 * signed for: once after a restart, more often behind a load balancer.
 */
const RENAMES = 4;
/** The largest answer that is read, in bytes. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

/** The status of a node that answers no calls yet. */
const STARTING = 503;

/** How much of a refusal's body is kept, in characters. */
const REFUSAL_LENGTH = 150;

interface Node {
  url: URL;
  skippedUntil: number;
  /** The name that calls to it are signed for; empty until it has given one. */
  receiver: string;
}

/** How a client calls the instances of a service. */
export interface RpcClientOptions {
  /** The first addresses, which are also used while nobody lists the instances. */
  urls: string[];
  /** The instances, as they announce themselves. Absent: only `urls`. */
  listed?: (this: void) => Listed;
  /** Name of the calling instance. */
  nodeId: string;
  secret: string;
  /** Told of every answer and every failure. */
  report?: CallReport;
}

/**
 * No instance gave a complete answer: the outcome of the call is unknown. It may have been carried
 * out, so this is never a refusal.
 */
export class RpcUnreachable extends TidingsError {
  constructor(cause: unknown) {
    super('unavailable', { detail: 'The service is not reachable right now', cause });
  }
}

/**
 * Calls another service's internal interface. Instances take turns ({@link addressesOf} says
 * which). One that shows no sign of life within 300 ms is skipped for 5 s, and the next one is
 * asked as well: the first answer counts (a hedged request). A call that is `ordered` waits for its
 * one instance instead.
 */
export class RpcClient<T extends RpcTable> {
  /** By address; addresses that are no longer listed are dropped. */
  private readonly nodes = new Map<string, Node>();
  private readonly agent = new Agent({
    keepAlive: true,
    maxSockets: 64,
    scheduling: 'lifo',
    timeout: KEEP_IDLE_MS,
  });
  private readonly caller: string;
  private turn = 0;
  private calls = 0;

  constructor(
    private readonly table: T,
    private readonly options: RpcClientOptions,
  ) {
    this.caller = callName(options.nodeId);
  }

  /**
   * One call. Throws {@link TidingsError} with the callee's code, or `unavailable` when no instance
   * answers within `timeoutMs` in total.
   */
  async call<K extends keyof T & string>(
    name: K,
    input: RpcInput<T, K>,
    { timeoutMs = 3_000 }: { timeoutMs?: number } = {},
  ): Promise<RpcOutput<T, K>> {
    const body = JSON.stringify(input);
    const answer = await this.firstAnswer(name, body, timeoutMs);
    return this.table[name]!.output.parse(answer) as RpcOutput<T, K>;
  }

  /** Closes the kept connections. */
  close(): void {
    this.agent.destroy();
  }

  /**
   * First the healthy nodes, in turn; then skipped ones, so that a call always tries something;
   * then those that are asked only when none of these answers.
   */
  private order(): Node[] {
    const { urls, listed } = this.options;
    const { turns, rest } = addressesOf(urls, listed?.() ?? { known: true, instances: [] });
    this.forgetOthers([...turns, ...rest]);
    const start = this.turn++ % Math.max(1, turns.length);
    const turned = [...turns.slice(start), ...turns.slice(0, start)].map((url) => this.node(url));
    const now = performance.now();
    const healthy = turned.filter((n) => n.skippedUntil <= now);
    const skipped = turned.filter((n) => n.skippedUntil > now);
    return [...healthy, ...skipped, ...rest.map((url) => this.node(url))];
  }

  private node(url: string): Node {
    const known = this.nodes.get(url);
    if (known) return known;
    const node = { url: new URL(url), skippedUntil: 0, receiver: '' };
    this.nodes.set(url, node);
    return node;
  }

  private forgetOthers(urls: readonly string[]): void {
    if (this.nodes.size <= urls.length) return;
    for (const url of this.nodes.keys()) if (!urls.includes(url)) this.nodes.delete(url);
  }

  /**
   * The first answer of the nodes, which are asked one after another while none shows a sign of
   * life.
   */
  private firstAnswer(name: string, body: string, timeoutMs: number): Promise<unknown> {
    const waiting = this.order();
    const asked = new Map<ClientRequest, Node>();
    const { report } = this.options;
    const { ordered } = this.table[name]!;
    const failed = (node: Node, failure: CallFailure, cause: string): void =>
      report?.failed(node.url.host, name, failure, cause);
    return new Promise((resolve, reject) => {
      let failure: unknown = new Error('no instance is known');
      let renames = RENAMES;
      let ended = false;
      const end = (): boolean => {
        if (ended) return false;
        ended = true;
        clearTimeout(deadline);
        for (const request of asked.keys()) request.destroy();
        return true;
      };
      const next = (): void => {
        const node = ended ? undefined : waiting.shift();
        if (node) ask(node);
        else if (asked.size === 0 && end()) reject(new RpcUnreachable(failure));
      };
      const ask = (node: Node): void => {
        const request = this.post(node, name, body, {
          silent: () => {
            failed(node, 'silent', `no sign of life within ${SIGN_OF_LIFE_MS} ms`);
            if (!ordered) next();
          },
          failed: (error, why) => {
            asked.delete(request);
            if (ended) return;
            failure = error;
            // A kept connection that the node has closed meanwhile says nothing about the node.
            if (request.reusedSocket && isReset(error)) return ask(node);
            failed(node, why, error.message);
            next();
          },
          renamed: () => {
            asked.delete(request);
            if (ended) return;
            if (renames-- > 0) return ask(node);
            failure = new Error('the instance has another name each time');
            failed(node, 'refused', 'another name each time');
            next();
          },
          answered: (answer) => {
            asked.delete(request);
            const { code, detail } = answer.error ?? {};
            if (isErrorCode(code) && ERRORS[code].status < 500)
              report?.answered(node.url.host, name);
            else if (code === undefined) report?.answered(node.url.host, name);
            else failed(node, 'error', `${code}: ${detail}`);
            if (end()) settle(answer, resolve, reject);
          },
        });
        asked.set(request, node);
      };
      const deadline = setTimeout(() => {
        const cause = `no answer within ${timeoutMs} ms`;
        for (const node of asked.values()) failed(node, 'late', cause);
        if (end()) reject(new RpcUnreachable(new Error(cause)));
      }, timeoutMs);
      next();
    });
  }

  private post(node: Node, name: string, body: string, on: PostEvents): ClientRequest {
    const path = RPC_PREFIX + name;
    const { receiver } = node;
    const request = httpRequest({
      agent: this.agent,
      host: node.url.hostname,
      port: node.url.port || 80,
      path,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        [CLUSTER_HEADER]: signCall(this.options.secret, {
          caller: this.caller,
          receiver,
          number: ++this.calls,
          atMs: Date.now(),
          path,
          body,
        }),
      },
    });
    const life = setTimeout(() => {
      node.skippedUntil = performance.now() + SKIP_MS;
      on.silent();
    }, SIGN_OF_LIFE_MS);
    request.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(life);
      if (error.code === 'ECONNREFUSED') node.skippedUntil = performance.now() + REFUSED_SKIP_MS;
      on.failed(error, 'unreachable');
    });
    const alive = (): void => {
      clearTimeout(life);
      node.skippedUntil = 0;
    };
    request.on('information', alive);
    request.on('response', (response) => {
      alive();
      if (response.statusCode === STARTING) node.skippedUntil = performance.now() + REFUSED_SKIP_MS;
      const named = response.statusCode === 401 ? response.headers[RECEIVER_HEADER] : undefined;
      if (typeof named !== 'string') return readAnswer(response, on);
      // another call may have learned it meanwhile
      if (node.receiver === receiver) node.receiver = named;
      response.resume();
      // once its connection is free: behind a load balancer the same one leads to the same process
      response.once('end', () => setImmediate(on.renamed));
      response.once('error', (error) => on.failed(error, 'unreachable'));
    });
    request.on('close', () => clearTimeout(life));
    request.end(body);
    return request;
  }
}

/** Whether a connection ended during a call. */
function isReset(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/**
 * The possible outcomes of a posted call; `failed` says nothing about whether it was carried out.
 */
interface PostEvents {
  silent(): void;
  failed(error: Error, failure: CallFailure): void;
  /** It is for another process than the call was signed for, whose name is known now. */
  renamed(): void;
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
    const { statusCode } = response;
    if (statusCode !== 200) {
      // Not an answer to the call: its error must not reach the caller's own caller.
      const text = Buffer.concat(chunks).toString('utf8').slice(0, REFUSAL_LENGTH);
      return on.failed(new Error(`status ${statusCode}: ${text}`), 'refused');
    }
    let answer: RpcAnswer;
    try {
      answer = decodeAnswer(chunks);
    } catch (error) {
      return on.failed(error as Error, 'broken');
    }
    on.answered(answer);
  });
  response.on('error', (error) => on.failed(error, 'unreachable'));
}
