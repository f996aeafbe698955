import { hasLeft } from '@tidings/common/runtime/has-left';
import type { NextFunction, Request, Response } from 'express';

/** Methods of the calls that set something. */
const CHANGES = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * Middleware that drops a change whose sender has closed the connection; `count` takes each. They ask again,
 * at another gateway too: one that hung and wakes up must not carry the old copy out behind what they have
 * done since. A refresh token would look stolen then, and a block that was taken back would be there again.
 */
export function dropLeft(count: (reason: 'left') => void) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (!CHANGES.has(request.method)) return next();
    hasLeft(request).then((left) => {
      if (!left) return next();
      count('left');
      response.destroy();
    }, next);
  };
}
