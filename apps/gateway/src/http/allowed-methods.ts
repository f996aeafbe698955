import type { NextFunction, Request, Response } from 'express';
import { isAdminCall } from '@tidings/protocol/admin';
import { TidingsError } from '@tidings/protocol/errors';
import { CALL_RATES } from '@tidings/protocol/limits';
import { sendProblem } from '@tidings/common/runtime/problem.filter';

/** An upgrade: none of the calls. */
const UPGRADE = 'GET /v1/ws';

/** The calls of the protocol and those of operators, by path. */
const PATHS = pathsOf([
  ...Object.keys(CALL_RATES).filter((call) => call !== UPGRADE && !isAdminCall(call)),
  'GET /health/live',
  'GET /health/ready',
  'GET /metrics',
]);

interface Path {
  /** Lower case; of a parameter, null. */
  segments: (string | null)[];
  methods: string[];
}

/**
 * Refuses a wrong method on a known path with 405 and `Allow` (RFC 9110 §15.5.6). Belongs behind
 * all endpoints and before whatever answers 404.
 */
export function refuseMethods(
  request: Request & { id?: string },
  response: Response,
  next: NextFunction,
): void {
  const allowed = allowedMethods(request.path);
  if (allowed.length === 0 || allowed.includes(request.method)) return next();
  response.setHeader('Allow', allowed.join(', '));
  const detail = `This path takes ${allowed.join(', ')}`;
  const error = new TidingsError('method_not_allowed', { detail });
  sendProblem(response, error, request.id ?? '');
}

/** Methods that endpoints take on a path, upper case, in order; none: the path is not known. */
function allowedMethods(path: string): string[] {
  const segments = segmentsOf(path);
  const methods = new Set(PATHS.filter((one) => fits(one, segments)).flatMap((one) => one.methods));
  if (methods.has('GET')) methods.add('HEAD');
  return [...methods].sort();
}

function pathsOf(calls: readonly string[]): Path[] {
  const paths = new Map<string, string[]>();
  for (const call of calls) {
    const [method, path] = call.split(' ') as [string, string];
    paths.set(path, [...(paths.get(path) ?? []), method]);
  }
  return [...paths].map(([path, methods]) => ({
    segments: segmentsOf(path).map((segment) => (segment.startsWith(':') ? null : segment)),
    methods,
  }));
}

/** As Express compares them: in any case, with or without a slash at the end. */
function segmentsOf(path: string): string[] {
  return path.toLowerCase().replace(/\/$/, '').split('/').slice(1);
}

function fits({ segments }: Path, path: readonly string[]): boolean {
  return (
    segments.length === path.length &&
    segments.every((segment, i) => (segment === null ? isValue(path[i]!) : segment === path[i]))
  );
}

/** What cannot be decoded is no value of a parameter. */
function isValue(segment: string): boolean {
  try {
    return decodeURIComponent(segment) !== '';
  } catch {
    return false;
  }
}
