import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { uuid } from '@tidings/protocol/ids';
import { parsedJson } from '@tidings/protocol/json';
import type { Tokens } from '@tidings/protocol/http';
import type { RpcOutput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { TIMINGS } from '@tidings/protocol/limits';
import { z } from 'zod';

export const ISSUER = 'tidings';
export const AUDIENCE = 'tidings-api';
export const ALGORITHM = 'HS256';
export const TOKEN_TYPE = 'JWT';

/** Storage's answer to a login. */
export type LoginGrant = RpcOutput<typeof STORAGE_RPC, 'accounts.login'>;
type Grant = RpcOutput<typeof STORAGE_RPC, 'accounts.refresh'>;

/** Claims of an access token: user, device, login generation, refresh sequence. */
export const accessClaims = z.object({
  sub: uuid,
  did: uuid,
  gen: z.number().int(),
  seq: z.number().int(),
  exp: z.number().int(),
  iat: z.number().int(),
});

/** The secrets that tokens may be signed with: the present one first. */
export class SigningKeys {
  private readonly keys: readonly KeyObject[];

  constructor(present: string, previous?: string) {
    const secrets = previous === undefined ? [present] : [present, previous];
    // As key objects: from a text the JWT library would try to read a PEM key at every token.
    this.keys = secrets.map((secret) => createSecretKey(Buffer.from(secret)));
  }

  /** The key for new tokens. */
  get signing(): KeyObject {
    return this.keys[0]!;
  }

  /** The key that a compact token (RFC 7515) was signed with; the present one when none was. */
  keyOf(token: string): KeyObject {
    return this.found(token) ?? this.signing;
  }

  /** Whether one of the keys has signed a compact token. */
  hasSigned(token: string): boolean {
    return this.found(token) !== null;
  }

  private found(token: string): KeyObject | null {
    const dot = token.lastIndexOf('.');
    const given = Buffer.from(token.slice(dot + 1), 'base64url');
    const signed = token.slice(0, Math.max(dot, 0));
    for (const key of this.keys) {
      const mac = createHmac('sha256', key).update(signed).digest();
      if (mac.length === given.length && timingSafeEqual(mac, given)) return key;
    }
    return null;
  }
}

const BEARER = /^Bearer ([A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+)$/;

/**
 * The device of a token that we have signed; null for any other. Whether it is still good is another
 * question: it tells who asks, and not that he may.
 */
export function signedDevice(keys: SigningKeys, authorization: string | undefined): string | null {
  const [, token, payload] = BEARER.exec(authorization ?? '') ?? [];
  if (!token || !payload || !keys.hasSigned(token)) return null;
  const claims = parsedJson(Buffer.from(payload, 'base64url').toString('utf8'));
  return accessClaims.safeParse(claims).data?.did ?? null;
}

/**
 * Whether the claims of a compact token are a JSON object (RFC 7519, section 7.2). The JWT library takes
 * that for granted once a signature is right, and throws over `null`.
 */
export function hasClaims(token: string): boolean {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
  const claims = parsedJson(payload);
  return typeof claims === 'object' && claims !== null && !Array.isArray(claims);
}

/** Makes access tokens. */
@Injectable()
export class AccessTokens {
  constructor(private readonly jwt: JwtService) {}

  /** The token pair for a login or refresh. */
  issue(grant: Grant): Tokens {
    const { userId, deviceId, generation, sequence, refreshToken } = grant;
    const accessToken = this.jwt.sign(
      { did: deviceId, gen: generation, seq: sequence },
      {
        subject: userId,
      },
    );
    return { accessToken, expiresInSeconds: TIMINGS.accessTokenSeconds, refreshToken };
  }
}
