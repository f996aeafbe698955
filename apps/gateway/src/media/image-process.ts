import { fork, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { isErrorCode, TidingsError } from '@tidings/protocol/errors';
import { z } from 'zod';
import type { ImageType } from './media-type';
import { ImageCodec, type CleanImage, type ImageTarget } from './image-codec';

/** Argument with which this program works on images instead of being a gateway. */
export const IMAGE_COMMAND = 'images';
/** Work that takes longer has gone wrong: the process is ended, milliseconds. Twice as long as the codec gives it. */
const PATIENCE_MS = 45_000;
/** So much nicer than this process it is; its session too, where the kernel shares time between sessions first. */
const NICER = 10;
/** The highest niceness. */
const NICEST = 19;
/** Without work for this time the process ends, milliseconds. */
const IDLE_MS = 60_000;

/** A piece of work for the other process. */
type Question =
  | { id: number; do: 'measure'; source: string }
  | { id: number; do: 'clean'; source: string; type: ImageType; target: ImageTarget };
type Work = Question extends infer Q ? (Q extends Question ? Omit<Q, 'id'> : never) : never;

/** What became of it. From a process in which a picture may have taken over: its shape is checked. */
const reply = z.object({
  id: z.number(),
  ok: z.unknown().optional(),
  error: z.object({ code: z.string(), detail: z.string(), status: z.number().int() }).optional(),
});
type Reply = z.infer<typeof reply>;

/** What `ok` is, by the work that was asked for. */
const OUTCOMES = {
  measure: z.number().int().nonnegative(),
  clean: z.object({ width: z.number().int().positive(), height: z.number().int().positive() }),
} satisfies Record<Question['do'], z.ZodType<number | CleanImage>>;

interface Asked {
  outcome: z.ZodType<number | CleanImage>;
  resolve: (value: number | CleanImage) => void;
  reject: (error: TidingsError) => void;
  timer: NodeJS.Timeout;
}

/** Measures and cleans images: {@link ImageCodec} itself, or the same in another process. */
export type ImageWorker = Pick<ImageCodec, 'measure' | 'clean'>;

/**
 * An {@link ImageCodec} in a process of its own with a low priority, so that decoding hardly takes
 * time that others want, and a picture that brings the decoder down takes no gateway along.
 * The process begins with the first image and ends with the last, or with this one.
 */
export class ImageProcess implements ImageWorker {
  private child: ChildProcess | null = null;
  private idle: NodeJS.Timeout | null = null;
  private readonly asked = new Map<number, Asked>();
  private nextId = 0;
  private stopped = false;
  /** The process that runs now has answered something: it can. */
  private proven = false;
  /** Its priority is set. */
  private yields = false;

  /** `program`: what to run with {@link IMAGE_COMMAND}. */
  constructor(private readonly program: string) {}

  measure(source: string): Promise<number> {
    return this.ask({ do: 'measure', source }) as Promise<number>;
  }

  clean(source: string, type: ImageType, target: ImageTarget): Promise<CleanImage> {
    return this.ask({ do: 'clean', source, type, target }) as Promise<CleanImage>;
  }

  stop(): void {
    this.stopped = true;
    this.end();
  }

  private ask(work: Work): Promise<number | CleanImage> {
    if (this.stopped) return Promise.reject(new TidingsError('unavailable'));
    const id = this.nextId++;
    const child = this.running();
    this.yields ||= yieldToOthers(child);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
      this.asked.set(id, { outcome: OUTCOMES[work.do], resolve, reject, timer });
      child.send({ id, ...work }, (error) => {
        if (error) this.settle({ id, error: away() });
      });
    });
  }

  private running(): ChildProcess {
    if (this.idle) clearTimeout(this.idle);
    this.idle = null;
    if (this.child) return this.child;
    const child = fork(this.program, [IMAGE_COMMAND], {
      execArgv: [],
      // A session of its own, so that it can have its own share of the processor's time.
      detached: true,
      // Nothing of what this process knows.
      env: {},
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.child = child;
    this.proven = false;
    this.yields = false;
    child.on('message', (message) => {
      this.proven = true;
      if (this.take(message)) return;
      child.kill('SIGKILL');
      this.lost(child);
    });
    // An error is followed by an exit, unless the process did not begin.
    child.on('error', () => this.lost(child));
    child.on('exit', () => this.lost(child));
    return child;
  }

  /** Takes an answer; false: it is none. */
  private take(message: unknown): boolean {
    const { data } = reply.safeParse(message);
    if (!data) return false;
    const fits = data.error ?? this.asked.get(data.id)?.outcome.safeParse(data.ok).success ?? true;
    if (fits) this.settle(data);
    return Boolean(fits);
  }

  private settle({ id, ok, error }: Reply): void {
    const one = this.asked.get(id);
    if (!one) return;
    this.asked.delete(id);
    clearTimeout(one.timer);
    if (this.asked.size === 0) this.idle = setTimeout(() => this.end(), IDLE_MS).unref();
    if (error) one.reject(toError(error));
    else one.resolve(ok as number | CleanImage);
  }

  /** Whatever it was asked is answered: an image may be what brought it down. */
  private lost(child: ChildProcess): void {
    if (this.child !== child) return;
    this.child = null;
    const error = this.proven ? undecodable() : away();
    for (const id of [...this.asked.keys()]) this.settle({ id, error });
  }

  private end(): void {
    if (this.idle) clearTimeout(this.idle);
    const { child } = this;
    if (!child) return;
    child.kill('SIGKILL');
    this.lost(child);
  }
}

/** Works on images for the process that started this one, and ends with it. */
export function serveImages(): void {
  const codec = new ImageCodec();
  process.on('disconnect', () => process.exit(0));
  // Whoever ends all processes of a service means the gateway: this one ends with it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  process.on('message', (question: Question) => {
    const { id } = question;
    const work: Promise<number | CleanImage> =
      question.do === 'measure'
        ? codec.measure(question.source)
        : codec.clean(question.source, question.type, question.target);
    work.then(
      (ok) => answer({ id, ok }),
      (error: unknown) => answer({ id, error: toReply(error) }),
    );
  });
}

function answer(what: { id: number; ok?: number | CleanImage; error?: Reply['error'] }): void {
  process.send?.(what, () => undefined);
}

function toReply(error: unknown): Reply['error'] {
  if (!(error instanceof TidingsError)) return away();
  return { code: error.code, detail: error.message, status: error.status };
}

function toError({ code, detail, status }: NonNullable<Reply['error']>): TidingsError {
  return new TidingsError(isErrorCode(code) ? code : 'internal', { detail, status });
}

function away(): NonNullable<Reply['error']> {
  return { code: 'busy', detail: 'Images cannot be worked on at the moment', status: 503 };
}

function undecodable(): NonNullable<Reply['error']> {
  return { code: 'unsupported_media', detail: 'The image cannot be decoded', status: 422 };
}

/**
 * Lowers its priority. Linux shares time between sessions first where it groups tasks by them
 * (sched(7), autogroup): there the niceness of a process counts within its session only, and the session
 * has one of its own. False: try again later, since the kernel takes one such change in 100 ms.
 */
function yieldToOthers({ pid }: ChildProcess): boolean {
  if (pid === undefined) return true;
  try {
    setPriority(pid, Math.min(getPriority() + NICER, NICEST));
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/autogroup`, String(NICER));
    return true;
  } catch (error) {
    // It has ended already, or the system does not do it: then it works with what is given.
    return (error as NodeJS.ErrnoException).code !== 'EAGAIN';
  }
}
