import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { TidingsError } from '@tidings/protocol/errors';
import { ExtractJwt, Strategy } from 'passport-jwt';
import {
  accessClaims,
  ALGORITHM,
  AUDIENCE,
  hasClaims,
  ISSUER,
  SigningKeys,
  TOKEN_TYPE,
} from './access-tokens';
import type { Principal } from './principal';
import { LoginGate } from './login-gate';
import { TokenConfirmer } from './token-confirmer';

/** Leeway between the clocks of gateways, seconds. */
const CLOCK_TOLERANCE_SECONDS = 5;

/** Checks access tokens (passport-jwt), and that their login still lives. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy, 'jwt') {
  constructor(
    keys: SigningKeys,
    private readonly gate: LoginGate,
    private readonly confirmer: TokenConfirmer,
  ) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: (_request, token: string, done) => {
        if (!hasClaims(token)) return done(new TidingsError('unauthorized'));
        // The types of passport-jwt do not know key objects; jsonwebtoken, which gets it, does.
        done(null, keys.keyOf(token) as unknown as Buffer);
      },
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      jsonWebTokenOptions: { clockTolerance: CLOCK_TOLERANCE_SECONDS, complete: true },
    });
  }

  /** Throws `unauthorized`, or `unavailable` when nobody can tell whether the login lives. */
  async validate(token: { header?: { typ?: unknown }; payload?: unknown }): Promise<Principal> {
    const claims = accessClaims.safeParse(token.payload);
    if (token.header?.typ !== TOKEN_TYPE || !claims.success) throw new TidingsError('unauthorized');
    const { sub: userId, did: deviceId, gen: generation, seq } = claims.data;
    await this.gate.require(userId, deviceId, generation);
    const principal = { userId, deviceId, generation };
    this.confirmer.used(principal, seq);
    return principal;
  }
}
