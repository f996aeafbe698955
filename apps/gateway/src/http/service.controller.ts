import { Controller, Get } from '@nestjs/common';
import { FEATURES } from '@tidings/common/contracts/frames';
import { LIMITS } from '@tidings/common/contracts/limits';
import { Open } from '../auth/jwt-auth.guard';

const DESCRIPTION = {
  versions: ['v1'],
  features: FEATURES,
  limits: LIMITS,
  login: ['password'],
  policy: 'multi',
} as const;

@Controller()
export class ServiceController {
  /** What this server is and offers; needs no login. */
  @Open()
  @Get()
  describe(): typeof DESCRIPTION {
    return DESCRIPTION;
  }
}
