import type { INestApplication } from '@nestjs/common';
import type { Express, Request, Response } from 'express';
import type { CallWatch } from '../rpc/call-watch';
import type { Metrics } from './metrics';

/** Why a service is not ready, by name of the part; null: it is. */
export type ReadyCheck = () => string | null;

/** Readiness of a process: ready only when useful, not ready from the first moment of a stop. */
export class Readiness {
  private readonly checks = new Map<string, ReadyCheck>();
  private started = false;

  /** Adds a part that must be well; `check` is cheap and synchronous. */
  add(part: string, check: ReadyCheck): void {
    this.checks.set(part, check);
  }

  /** Set by the start order when everything runs, and taken back first when stopping. */
  set(started: boolean): void {
    this.started = started;
  }

  /** The parts that are not well, with reasons; empty when ready. */
  problems(): Record<string, string> {
    const problems: Record<string, string> = {};
    if (!this.started) problems['process'] = 'starting or stopping';
    for (const [part, check] of this.checks) {
      const problem = check();
      if (problem !== null) problems[part] = problem;
    }
    return problems;
  }
}

/**
 * Mounts `/health/live`, `/health/ready` and `/metrics` on an application's listener. Calls to other
 * services that fail are told in the answer of `/health/ready` and make nothing not ready: most of
 * what a service does goes on without them.
 */
export function mountHealth(
  app: INestApplication,
  options: { readiness: Readiness; metrics: Metrics; calls?: CallWatch },
): void {
  const server = app.getHttpAdapter().getInstance() as Express;
  server.get('/health/live', (_request: Request, response: Response) => {
    response.json({ status: 'ok' });
  });
  server.get('/health/ready', (_request: Request, response: Response) => {
    const problems = options.readiness.problems();
    const ready = Object.keys(problems).length === 0;
    const status = ready ? 'ok' : 'not ready';
    const failingCalls = options.calls?.list() ?? [];
    response.status(ready ? 200 : 503).json({ status, problems, failingCalls });
  });
  server.get('/metrics', (_request: Request, response: Response, next) => {
    options.metrics.registry
      .metrics()
      .then((text) => response.type(options.metrics.registry.contentType).send(text))
      .catch(next);
  });
}
