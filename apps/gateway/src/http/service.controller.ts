import { Controller, Get } from '@nestjs/common';
import { FEATURES } from '@tidings/protocol/frames';
import { announcedLimits, type Rates } from '@tidings/protocol/limits';
import type { LoginPolicy } from '@tidings/common/runtime/env';
import { Open } from '../auth/jwt-auth.guard';
import type { UserDirectoryMode } from './user-directory';

/** What a server is and offers, under the rates in force. */
export function describeService(rates: Rates, users: UserDirectoryMode, policy: LoginPolicy) {
  return {
    versions: ['v1'],
    features: FEATURES,
    ...announcedLimits(rates),
    login: ['password'],
    policy,
    users,
  } as const;
}

/** Stands for the answer of {@link describeService}. */
export class ServiceDescription {}

@Controller()
export class ServiceController {
  constructor(private readonly description: ServiceDescription) {}

  /** What this server is and offers; needs no login. */
  @Open()
  @Get()
  describe(): ServiceDescription {
    return this.description;
  }
}
