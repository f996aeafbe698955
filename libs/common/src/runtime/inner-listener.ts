import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TidingsError } from '@tidings/protocol/errors';
import { containServer } from './contained-server';
import type { Defects } from './defects';
import { answerHealth, type HealthParts } from './health';
import { listening, type Place } from './listening';
import { problemOf } from './problem.filter';

/** Answers some requests; false: this one is not among them. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => boolean;

/** The listener for services and operators, not for clients: health, metrics, internal calls. */
export class InnerListener {
  private constructor(private readonly server: Server) {}

  /** Listens; port 0: any. Rejects when the address is not available. */
  static async open(
    place: Place,
    parts: { health: HealthParts; defects: Defects; calls?: Answering },
  ): Promise<InnerListener> {
    const { health, defects, calls } = parts;
    const server = createServer((request, response) => {
      if (calls?.(request, response) || answerHealth(request, response, health)) return;
      const problem = problemOf(new TidingsError('not_found'), '');
      response.writeHead(problem.status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify(problem));
    });
    await listening(server, place);
    containServer(server, defects);
    return new InnerListener(server);
  }

  /** Its address, `http://host:port`. */
  get url(): string {
    const { address, family, port } = this.server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Accepts no new connections, and ends once the last request is answered. */
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
