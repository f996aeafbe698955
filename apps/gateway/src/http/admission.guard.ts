import { Injectable, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { SigningKeys, signedDevice } from '../auth/access-tokens';
import { Admission } from '../rates/admission';

const ADMITTED = 'tidings:admitted';
/** Whoever is answered so has not been let in. */
const NOT_LET_IN = new Set([400, 401, 403, 429]);

/** Marks an endpoint whose callers are about to connect. */
export const Admitted = () => SetMetadata(ADMITTED, true);

/** Lets so many callers connect as this gateway can take, before anything is asked about them. */
@Injectable()
export class AdmissionGuard implements CanActivate {
  constructor(
    private readonly admission: Admission,
    private readonly keys: SigningKeys,
  ) {}

  /** Throws `busy`. */
  canActivate(context: ExecutionContext): boolean {
    if (Reflect.getMetadata(ADMITTED, context.getHandler()) !== true) return true;
    // Whoever has no token of ours is refused next: standing in the line they would make it longer for others.
    const { headers } = context.switchToHttp().getRequest<Request>();
    if (signedDevice(this.keys, headers.authorization) === null) return true;
    this.admission.admit();
    const response = context.switchToHttp().getResponse<Response>();
    response.once('finish', () => {
      if (NOT_LET_IN.has(response.statusCode)) this.admission.giveBack();
    });
    return true;
  }
}
