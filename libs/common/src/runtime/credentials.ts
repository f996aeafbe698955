import { createHmac, timingSafeEqual } from 'node:crypto';

/** Header of internal calls: `<node>.<unix ms>.<mac>`. */
export const CLUSTER_HEADER = 'x-tidings-cluster';

/** How far apart the clocks of two nodes may be, in milliseconds. */
const MAX_SKEW_MS = 60_000;

/** HMAC-SHA-256 (RFC 2104) over the parts, base64url. */
export function clusterMac(secret: string, parts: readonly string[]): string {
  return createHmac('sha256', secret).update(parts.join('\n')).digest('base64url');
}

/** Constant-time comparison of two macs. */
export function sameMac(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** Signs one internal call: node, time, path and body. */
export function signCall(
  secret: string,
  call: { nodeId: string; atMs: number; path: string; body: string },
): string {
  const mac = clusterMac(secret, [call.nodeId, String(call.atMs), call.path, call.body]);
  return `${call.nodeId}.${call.atMs}.${mac}`;
}

/** Whether a header proves the cluster secret for this path and body; stale ones do not. */
export function verifyCall(
  secret: string,
  header: string | undefined,
  call: { path: string; body: string; nowMs: number },
): boolean {
  const match = /^([A-Za-z0-9-]+)\.([0-9]+)\.([A-Za-z0-9_-]+)$/.exec(header ?? '');
  if (!match) return false;
  const [, nodeId, at, mac] = match as unknown as [string, string, string, string];
  if (Math.abs(call.nowMs - Number(at)) > MAX_SKEW_MS) return false;
  return sameMac(mac, clusterMac(secret, [nodeId, at, call.path, call.body]));
}
