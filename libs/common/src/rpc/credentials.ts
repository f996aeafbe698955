import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { ReplayWindow } from './replay-window';

/**
 * Header of internal calls: `<caller>.<receiver>.<number>.<unix ms>.<mac>`. The MAC covers all of
 * it, the path and the body, so that a captured call is worthless at another receiver, at another
 * time, or a second time.
 */
export const CLUSTER_HEADER = 'x-tidings-cluster';

/** Header of a refusal: the name that the refusing process wants to be called by. */
export const RECEIVER_HEADER = 'x-tidings-receiver';

/** How far apart the clocks of two nodes may be, in milliseconds. */
const MAX_SKEW_MS = 60_000;

/** HMAC-SHA-256 (RFC 2104) over the parts, base64url. */
export function clusterMac(secret: string, parts: readonly string[]): string {
  return createHmac('sha256', secret).update(parts.join('\n')).digest('base64url');
}

/** Compares two MACs in constant time. */
export function sameMac(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/**
 * The name of one end of internal calls: for this process and this run, so that a later run does
 * not accept what was sent to an earlier one.
 */
export function callName(nodeId: string): string {
  return `${nodeId}-${randomBytes(6).toString('hex')}`;
}

/** What is signed in a call. */
export interface SignedCall {
  /** Name of the calling end, by {@link callName}. */
  caller: string;
  /** Name of the called end, as it gave it; empty: unknown yet. */
  receiver: string;
  /** Rises with every call of the caller. */
  number: number;
  /** Unix milliseconds. */
  atMs: number;
  path: string;
  body: string;
}

/** Signs one internal call. */
export function signCall(secret: string, call: SignedCall): string {
  const fields = [call.caller, call.receiver, String(call.number), String(call.atMs)];
  return `${fields.join('.')}.${clusterMac(secret, [...fields, call.path, call.body])}`;
}

/**
 * Why a call is refused. `receiver`: it is genuine but meant for another process, or its caller
 * does not know this one yet. `repeated`: it was here before.
 */
export type CallRefusal = 'malformed' | 'mac' | 'time' | 'receiver' | 'repeated';

/** Judges the proofs of calls to one receiver, and remembers those it has seen. */
export class CallJudge {
  private readonly seen = new ReplayWindow(MAX_SKEW_MS);

  constructor(
    private readonly secret: string,
    /** Name of this end, by {@link callName}. */
    readonly receiver: string,
  ) {}

  /** Null: the call is genuine, for this receiver, and here for the first time. */
  refusal(
    header: string | undefined,
    call: { path: string; body: string; nowMs: number },
  ): CallRefusal | null {
    const match =
      /^([A-Za-z0-9-]{1,100})\.([A-Za-z0-9-]{0,100})\.([0-9]{1,15})\.([0-9]{1,15})\.([A-Za-z0-9_-]+)$/.exec(
        header ?? '',
      );
    if (!match) return 'malformed';
    const [, caller, receiver, number, at, mac] = match as unknown as string[] & { length: 6 };
    const fields = [caller!, receiver!, number!, at!];
    if (!sameMac(mac!, clusterMac(this.secret, [...fields, call.path, call.body]))) return 'mac';
    if (Math.abs(call.nowMs - Number(at)) > MAX_SKEW_MS) return 'time';
    if (receiver !== this.receiver) return 'receiver';
    return this.seen.take(caller!, Number(number), call.nowMs) ? null : 'repeated';
  }
}
