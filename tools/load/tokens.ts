import { createHmac } from 'node:crypto';

/** Issuer and audience of access tokens, as the gateway checks them. */
const ISSUER = 'tidings';
const AUDIENCE = 'tidings-api';
/** Seeded devices have this session generation and have never refreshed. */
const SEEDED_GENERATION = 1;
const FIRST_SEQUENCE = 1;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/**
 * An access token (JWT, HS256) for a seeded device, signed here with the stack's own secret: logging
 * thousands of users in by password would cost 11 ms of hashing each.
 */
export function signAccessToken(
  secret: string,
  token: { userId: string; deviceId: string; nowMs: number; lifetimeSeconds: number },
): string {
  const issuedAt = Math.floor(token.nowMs / 1000);
  const head = part({ alg: 'HS256', typ: 'JWT' });
  const body = part({
    sub: token.userId,
    did: token.deviceId,
    gen: SEEDED_GENERATION,
    seq: FIRST_SEQUENCE,
    iss: ISSUER,
    aud: AUDIENCE,
    iat: issuedAt,
    exp: issuedAt + token.lifetimeSeconds,
  });
  const mac = createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url');
  return `${head}.${body}.${mac}`;
}
