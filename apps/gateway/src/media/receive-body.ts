import { createHash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { TidingsError } from '@tidings/protocol/errors';
import { LIMITS } from '@tidings/protocol/limits';
import type { Slot } from './slots';
import { Throughput } from './throughput';

/** An upload is looked at after this time, and again: what is slower than allowed is given up. */
export const WINDOW_MS = 10_000;
/** Whoever needs its place may have it earlier, milliseconds. */
export const YIELD_AFTER_MS = 2_000;

/** What was received. */
export interface Received {
  size: number;
  /** SHA-256, base64url. */
  hash: string;
}

export interface ReceiveOptions {
  path: string;
  /** Judges the first bytes once: the largest size of such a body. It may throw to refuse it. */
  limit: (head: Buffer) => number;
  /** How many first bytes `limit` wants to see. */
  headBytes: number;
  /** The place that the upload holds: it yields when it is slow. */
  slot?: Pick<Slot, 'yielding'>;
  windowMs?: number;
}

/**
 * Writes the body of a request into a new file, chunk by chunk: the socket is read no faster than
 * the disk writes. Rejects with what `limit` throws, `payload_too_large` past the limit,
 * `invalid_request` when the sender stops before the end, with status 408 when it is slower than
 * allowed, and `busy` when its place went to somebody else for that. The request itself is left alive, so that
 * it can be answered; what else it sends is thrown away. The file is the caller's to remove.
 */
export async function receiveBody(
  request: IncomingMessage,
  options: ReceiveOptions,
): Promise<Received> {
  const file = await open(options.path, 'wx', 0o640);
  try {
    return await new BodyReceiver(request, file, options).done;
  } finally {
    await file.close();
  }
}

class BodyReceiver {
  readonly done: Promise<Received>;
  private readonly hash = createHash('sha256');
  private readonly throughput = new Throughput(LIMITS.uploadBytesPerSecond, performance.now());
  private readonly watch: NodeJS.Timeout;
  private head: Buffer = Buffer.alloc(0);
  private limit: number | null = null;
  private size = 0;
  private writing: Promise<void> = Promise.resolve();
  private resolve!: (received: Received) => void;
  private reject!: (error: unknown) => void;

  constructor(
    private readonly request: IncomingMessage,
    private readonly file: FileHandle,
    private readonly options: ReceiveOptions,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    const windowMs = options.windowMs ?? WINDOW_MS;
    this.watch = setInterval(() => this.look(windowMs), windowMs);
    options.slot?.yielding({
      slow: () => this.throughput.isSlow(performance.now(), YIELD_AFTER_MS),
      cut: () => this.giveUp(new TidingsError('busy', { detail: 'The upload was too slow' })),
    });
    request.on('data', this.take).on('end', this.end);
    request.on('close', this.broken).on('error', this.broken);
    if (request.destroyed) this.broken();
  }

  private readonly take = (chunk: Buffer): void => {
    this.throughput.add(chunk.length);
    this.request.pause();
    this.writing = this.write(chunk).then(
      () => void this.request.resume(),
      (error: unknown) => this.fail(error),
    );
  };

  private async write(chunk: Buffer): Promise<void> {
    this.size += chunk.length;
    if (this.limit === null && this.head.length < this.options.headBytes) {
      this.head = Buffer.concat([this.head, chunk.subarray(0, this.options.headBytes)]);
    }
    if (this.head.length >= this.options.headBytes) this.judge();
    this.hash.update(chunk);
    await this.file.writev([chunk]);
  }

  private judge(): void {
    this.limit ??= this.options.limit(this.head);
    if (this.size > this.limit) throw new TidingsError('payload_too_large');
  }

  private readonly end = (): void => {
    void this.writing.then(() => {
      try {
        this.judge();
        this.release();
        this.resolve({ size: this.size, hash: this.hash.digest('base64url') });
      } catch (error) {
        this.fail(error);
      }
    });
  };

  private readonly broken = (): void => {
    this.giveUp(new TidingsError('invalid_request', { detail: 'The body ended too early' }));
  };

  private look(windowMs: number): void {
    const now = performance.now();
    // A timer may come a moment early.
    if (this.throughput.isSlow(now, windowMs / 2)) {
      const detail = `An upload brings at least ${LIMITS.uploadBytesPerSecond} bytes a second`;
      this.giveUp(new TidingsError('invalid_request', { detail, status: 408 }));
    }
    this.throughput.next(now);
  }

  private giveUp(error: TidingsError): void {
    // A chunk may be on its way to the disk: the file must not be closed below it.
    void this.writing.then(() => this.fail(error));
  }

  private fail(error: unknown): void {
    this.release();
    this.reject(error);
    this.request.resume();
  }

  private release(): void {
    clearInterval(this.watch);
    this.options.slot?.yielding(null);
    this.request.off('data', this.take).off('end', this.end).off('close', this.broken);
    // 'error' keeps its listener: an abort after this must not be an uncaught one.
  }
}
