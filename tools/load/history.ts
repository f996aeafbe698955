import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * How an operation stands: begun; done; certainly not done; unknown; or something that was seen
 * (Jepsen's vocabulary). `fail` only for an answer that is documented as "not stored".
 */
type EventKind = 'invoke' | 'ok' | 'fail' | 'info' | 'obs';

/**
 * What the event is about.
 *
 * Done: `send`: a message (all tries of one id are one operation); `edit` and `delete` of a message;
 * `add` and `remove`: a member; `block` and `unblock`: a user; `lifetime` of a conversation's messages;
 * `received` and `read`: a mark that a device told (never answered).
 *
 * Seen: `frame`: a raw push; `emit`: handed to the application after merging; `answer`: some messages of
 * the server's history, in an answer of it; `page`: the same of the whole history (all pages of a
 * conversation together); `final`: the messages a device holds at rest, in its order; event messages of
 * the server stand in none of them. `receipt`: a
 * member's marks; `unread`: how many messages somebody was told are unread; `presence`: what somebody was
 * told of another's.
 *
 * Said by the harness: `conversation`: which kind it is; `socket`: a device's connection begins to be
 * opened, is open, or is over; `fault`, `phase`: marks of the run.
 */
type EventOperation =
  | ChangingOperation
  | 'received'
  | 'read'
  | 'frame'
  | 'emit'
  | 'answer'
  | 'page'
  | 'final'
  | 'receipt'
  | 'unread'
  | 'presence'
  | 'conversation'
  | 'socket'
  | 'fault'
  | 'phase';

/** What is answered, and changes what others may see. */
export type ChangingOperation =
  'send' | 'edit' | 'delete' | 'add' | 'remove' | 'block' | 'unblock' | 'lifetime';

/** A message as somebody was shown it. */
export interface SeenMessage {
  cid: string;
  /** position */
  seq: string;
  /** position of its last change; left out: none */
  ver?: string;
  /** sender */
  u: string;
  /** its content in one line; null: deleted */
  v: string | null;
  /** id of the message that it answers */
  re?: string;
  /** when its life is over, on the clock of the history, nanoseconds */
  e?: number;
}

/** An entry of a page or of a device's copy: position and message id. */
export type HistoryEntry = [position: string, messageId: string];

/** One line of a history. Written by the harness, never by the system under test. */
export interface HistoryEvent {
  /** global index */
  i: number;
  /** CLOCK_MONOTONIC, nanoseconds: comparable between the processes of one machine */
  t: number;
  k: EventKind;
  f: EventOperation;
  /** user, device, incarnation of the device, connection */
  u?: string;
  d?: string;
  inc?: number;
  s?: string;
  /** conversation */
  c?: string;
  /** message id as the client made it */
  cid?: string;
  /** message id as the server tells it; the same here */
  mid?: string;
  /** position */
  seq?: string;
  /**
   * text of a message; entries of `page` and `final`; words of a mark; seconds of a `lifetime`, or
   * `none`; of a `conversation`: `direct`, or what who is added sees (`joined`, `all`); of a `presence`: the
   * status; of a `socket`: `opening`, `open` or `over`
   */
  v?: string | HistoryEntry[];
  /** index of the event that began the operation which this one ends */
  op?: number;
  /** the user whom `add`, `remove`, `block`, `unblock`, `receipt` and `presence` are about; owner of a `conversation` */
  x?: string;
  /** of a `send`: id of the message that it answers */
  re?: string;
  /** read mark of a `receipt`, beside `seq`, the delivered one */
  r?: string;
  /** number of `unread` messages; of a `presence`: when they were last seen, on the clock of the history, nanoseconds */
  n?: number;
  /** when the request began whose answer this is, nanoseconds; left out: at `t` */
  inv?: number;
  /** messages, in the order in which they were shown */
  m?: SeenMessage[];
}

/** An event before it has its place in the history. */
export type NewEvent = Omit<HistoryEvent, 'i' | 't'>;

const FLUSH_CHARACTERS = 64 * 1024;
const NS_PER_SECOND = 1e9;

/** CLOCK_MONOTONIC in nanoseconds; exact for the first hundred days after boot. */
export function monotonicNs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * NS_PER_SECOND + nanoseconds;
}

/** Writes a history as JSON lines and keeps it for the checkers. */
export class HistoryWriter {
  /** everything that was recorded, in order */
  readonly events: HistoryEvent[] = [];
  private readonly fd: number;
  private pending = '';
  private closed = false;

  /** @param file made anew */
  constructor(
    readonly file: string,
    private readonly now: () => number = monotonicNs,
  ) {
    mkdirSync(dirname(file), { recursive: true });
    this.fd = openSync(file, 'w');
  }

  /** Adds one event, with its index and time. */
  record(event: NewEvent): HistoryEvent {
    if (this.closed) throw new Error('the history is closed');
    const whole: HistoryEvent = { i: this.events.length, t: this.now(), ...event };
    this.events.push(whole);
    this.pending += `${JSON.stringify(whole)}\n`;
    if (this.pending.length >= FLUSH_CHARACTERS) this.flush();
    return whole;
  }

  /** Writes what is buffered, so that a history survives the end of its harness. */
  flush(): void {
    writeSync(this.fd, this.pending);
    this.pending = '';
  }

  /** Ends the file. */
  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    closeSync(this.fd);
  }
}

/** Reads a history back, so that it can be checked again after a checker was corrected. */
export function readHistory(file: string): HistoryEvent[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as HistoryEvent);
}
