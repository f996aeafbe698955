import type { Express, NextFunction, Request, Response } from 'express';
import { TidingsError } from '@tidings/protocol/errors';
import { sendProblem } from '@tidings/common/runtime/problem.filter';

/** What is read of a layer of Express' router (package `router`, lib/layer.js). */
interface Layer {
  route?: { methods: Record<string, boolean | undefined> };
  match(path: string): unknown;
}

/** Methods that endpoints take on a path, upper case, in order; none: the path is not known. */
function allowedMethods(layers: readonly Layer[], path: string): string[] {
  const methods = new Set<string>();
  for (const layer of layers) {
    if (!layer.route || !matches(layer, path)) continue;
    for (const [method, taken] of Object.entries(layer.route.methods)) {
      if (taken) methods.add(method.toUpperCase());
    }
  }
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

/**
 * Refuses a wrong method on a known path with 405 and `Allow` (RFC 9110 §15.5.6). Belongs behind
 * all endpoints and before whatever answers 404.
 */
export function refuseMethods(server: Express) {
  return (request: Request & { id?: string }, response: Response, next: NextFunction): void => {
    const { stack } = server.router as unknown as { stack: Layer[] };
    const allowed = allowedMethods(stack, request.path);
    if (allowed.length === 0) return next();
    response.setHeader('Allow', allowed.join(', '));
    const detail = `This path takes ${allowed.join(', ')}`;
    const error = new TidingsError('method_not_allowed', { detail });
    sendProblem(response, error, request.id ?? '');
  };
}

/** A path whose parameters cannot be decoded matches nothing. */
function matches(layer: Layer, path: string): boolean {
  try {
    return Boolean(layer.match(path));
  } catch {
    return false;
  }
}
