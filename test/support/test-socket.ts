import WebSocket from 'ws';
import { SUBPROTOCOL, TICKET_PROTOCOL_PREFIX } from '@tidings/protocol/frames';
import { PATIENCE_MS } from './eventually';

/** A frame as it came; tests look at its fields. */
export type Frame = { type: string } & Record<string, unknown>;

/** A raw client socket that keeps every frame, in order, with the time of its arrival. */
export class TestSocket {
  readonly frames: Frame[] = [];
  readonly arrivals: number[] = [];
  closed: { code: number; reason: string } | null = null;
  onFrame: ((frame: Frame) => void) | null = null;
  private waiting: (() => void)[] = [];
  private taken = new Map<string, number>();

  constructor(readonly raw: WebSocket) {
    raw.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Frame;
      this.frames.push(frame);
      this.arrivals.push(performance.now());
      this.onFrame?.(frame);
      this.wake();
    });
    raw.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString('utf8') };
      this.wake();
    });
    raw.on('error', () => undefined);
  }

  send(frame: object): void {
    this.raw.send(JSON.stringify(frame));
  }

  /** The first frame, of all that came or will come, for which the check is true. */
  async find(check: (frame: Frame) => boolean, withinMs = PATIENCE_MS): Promise<Frame> {
    let seen = 0;
    return this.until(() => {
      while (seen < this.frames.length) {
        const frame = this.frames[seen++]!;
        if (check(frame)) return frame;
      }
      return undefined;
    }, withinMs);
  }

  /** The next frame of a type that `next` has not given yet. */
  async next(type: string, withinMs = PATIENCE_MS): Promise<Frame> {
    const frame = await this.until(() => {
      for (let i = this.taken.get(type) ?? 0; i < this.frames.length; i++) {
        if (this.frames[i]!.type !== type) continue;
        this.taken.set(type, i + 1);
        return this.frames[i]!;
      }
      return undefined;
    }, withinMs);
    return frame;
  }

  /** Frames of one type so far. */
  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** The close event; fails when the socket stays open. */
  async close(withinMs = PATIENCE_MS): Promise<{ code: number; reason: string }> {
    return this.until(() => this.closed ?? undefined, withinMs, true);
  }

  /** Ends the socket politely. */
  async end(): Promise<void> {
    this.raw.close(1000);
    await this.close();
  }

  /** Cuts the connection without a close frame. */
  cut(): void {
    this.raw.terminate();
  }

  private async until<T>(
    look: () => T | undefined,
    withinMs: number,
    evenClosed = false,
  ): Promise<T> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.closed && !evenClosed) throw new Error(`the socket closed: ${this.closed.code}`);
      const left = deadline - performance.now();
      if (left <= 0) {
        const types = this.frames.slice(-5).map((f) => JSON.stringify(f).slice(0, 200));
        throw new Error(`not within ${withinMs} ms; last frames: ${types.join('\n')}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const go of waiting) go();
  }
}

/** Opens a socket with a ticket. Rejects with the HTTP status when the upgrade is refused. */
export function openSocket(
  url: string,
  ticket: string | null,
  options: { protocols?: string[]; headers?: Record<string, string>; ca?: string } = {},
): Promise<TestSocket> {
  const protocols = options.protocols ?? [
    SUBPROTOCOL,
    ...(ticket === null ? [] : [TICKET_PROTOCOL_PREFIX + ticket]),
  ];
  return new Promise((resolve, reject) => {
    const raw = new WebSocket(url, protocols, { headers: options.headers, ca: options.ca });
    const socket = new TestSocket(raw);
    raw.on('open', () => resolve(socket));
    raw.on('unexpected-response', (_request, response) => {
      response.resume();
      reject(new UpgradeRefused(response.statusCode ?? 0));
    });
    raw.on('error', reject);
  });
}

/** The server answered the upgrade with a status other than 101. */
export class UpgradeRefused extends Error {
  constructor(readonly status: number) {
    super(`the upgrade was refused with ${status}`);
  }
}
