import type { INestApplication } from '@nestjs/common';
import type { Express, NextFunction, Request, Response } from 'express';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CallWatch } from '../rpc/call-watch';
import type { Metrics } from './metrics';
import type { Awaiting } from './waiting';

/** Why a service is not ready, by name of the part; null: it is. */
export type ReadyCheck = () => string | null;

/**
 * Readiness of a process: ready only when useful, and not ready from the first moment of a stop.
 */
export class Readiness {
  private readonly checks = new Map<string, ReadyCheck>();
  /** What the start waits for, why, and since when. */
  private readonly waits = new Map<string, { reason: string; from: number }>();
  private state: 'starting' | 'started' | 'stopping' = 'starting';

  /** `logger`: takes what is waited for, a line per change. */
  constructor(private readonly logger?: { warn(about: object, line: string): void }) {}

  /** Adds a part that must be well. `check` is cheap and synchronous. */
  add(part: string, check: ReadyCheck): void {
    this.checks.set(part, check);
  }

  /** Set when the start is complete, and the first thing to be unset in a stop. */
  set(started: boolean): void {
    this.state = started ? 'started' : 'stopping';
  }

  /** For a part that the start waits for. It says so at each try; only a change is logged. */
  awaiting(part: string): Awaiting {
    return (reason) => {
      const known = this.waits.get(part);
      if (reason === (known?.reason ?? null)) return;
      const from = known?.from ?? performance.now();
      if (reason === null) {
        this.waits.delete(part);
        this.logger?.warn({ part, ms: Math.round(performance.now() - from) }, `${part} is there`);
      } else {
        this.waits.set(part, { reason, from });
        this.logger?.warn({ part }, `waiting for ${part}: ${reason}`);
      }
    };
  }

  /** The parts that are not well, with reasons; empty when ready. */
  problems(): Record<string, string> {
    const problems: Record<string, string> = {};
    if (this.state !== 'started') problems['process'] = this.state;
    for (const [part, check] of this.checks) {
      const problem = check();
      if (problem !== null) problems[part] = problem;
    }
    for (const [part, { reason }] of this.waits) problems[part] = `waiting: ${reason}`;
    return problems;
  }
}

/** What is reported about a process. */
export interface HealthParts {
  readiness: Readiness;
  metrics: Metrics;
  calls?: CallWatch;
}

/** Tells in `/metrics` which parts `/health/ready` names. */
export function tellReadiness(metrics: Metrics, readiness: Readiness): void {
  metrics.flags('not_ready', 'This part is why the instance is not ready', 'part', () =>
    Object.keys(readiness.problems()),
  );
}

/**
 * Answers `/health/live`, `/health/ready` and `/metrics`; false: it is another request. Failing
 * calls to other services are listed in the answer of `/health/ready` but do not affect readiness:
 * most of what a service does goes on without them.
 */
export function answerHealth(
  request: IncomingMessage,
  response: ServerResponse,
  parts: HealthParts,
): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const answer = ANSWERS[request.url?.split('?', 1)[0] ?? ''];
  if (!answer) return false;
  answer(parts).then(
    ({ status = 200, type = JSON_TYPE, text }) => {
      const length = Buffer.byteLength(text);
      response.writeHead(status, { 'content-type': type, 'content-length': length });
      response.end(text);
    },
    // the guard of the server reports it
    (error: unknown) => response.destroy(error as Error),
  );
  return true;
}

interface Answer {
  status?: number;
  type?: string;
  text: string;
}

const JSON_TYPE = 'application/json; charset=utf-8';

const ANSWERS: Record<string, ((parts: HealthParts) => Promise<Answer>) | undefined> = {
  '/health/live': async () => ({ text: JSON.stringify({ status: 'ok' }) }),
  '/health/ready': async ({ readiness, calls }) => {
    const problems = readiness.problems();
    const ready = Object.keys(problems).length === 0;
    const status = ready ? 'ok' : 'not ready';
    const text = JSON.stringify({ status, problems, failingCalls: calls?.list() ?? [] });
    return { status: ready ? 200 : 503, text };
  },
  '/metrics': async ({ metrics: { registry } }) => ({
    type: registry.contentType,
    text: await registry.metrics(),
  }),
};

/** {@link answerHealth} before the endpoints of a listener for clients. */
export function mountHealth(app: INestApplication, parts: HealthParts): void {
  const server = app.getHttpAdapter().getInstance() as Express;
  server.use((request: Request, response: Response, next: NextFunction) => {
    if (!answerHealth(request, response, parts)) next();
  });
}
