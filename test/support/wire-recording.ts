import { WebSocket } from 'ws';
import { eventually } from './eventually';

/** What differs from run to run, by the field that it stands in or by its form. */
const VARYING: readonly [pattern: RegExp, name: string][] = [
  [
    /"(accessToken|refreshToken|ticket|resumeTicket|since|digest|requestId|connectionId|url)":"[^"]+"/g,
    '"$1":"<$1>"',
  ],
  [
    /"(position|previous|version|upTo|delivered|read|lastPosition|visibleFrom)":"[1-9]\d*"/g,
    '"$1":"<position>"',
  ],
  // each has a table of its own that is held against docs/LIMITS.md
  [/"(limits|rates)":\{(?:[^{}]|\{[^{}]*\})*\}/g, '"$1":{}'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<id>'],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, '<time>'],
];

/** Keeps an exchange as text, byte for byte but for what differs from run to run. */
export class WireRecording {
  private readonly lines: (() => string[])[] = [];
  private readonly names = new Map<string, string>();

  /** This value is written by its name, wherever it is. */
  name(value: string, name: string): void {
    this.names.set(value, `<${name}>`);
  }

  heading(text: string): void {
    this.lines.push(() => ['', `# ${text}`]);
  }

  /** Texts that may have come in any order. */
  note(who: string, ...texts: string[]): void {
    this.lines.push(() => {
      const normalised = texts.map((text) => this.normalised(text)).sort();
      return normalised.map((text) => `${who} ${text}`);
    });
  }

  toString(): string {
    const lines = this.lines.flatMap((some) => some());
    return `${lines.join('\n').trimStart()}\n`;
  }

  private normalised(text: string): string {
    const named = [...this.names].reduce((so, [value, name]) => so.replaceAll(value, name), text);
    return VARYING.reduce((so, [pattern, name]) => so.replace(pattern, name), named);
  }
}

/** A lossy frame that has not come by then is said again, milliseconds. */
const LOST_AFTER_MS = 3_000;
/** What follows a `delayed` answer, and what is lossy. */
const REPEATED: ReadonlySet<string> = new Set(['resync', 'typing']);

/** A socket whose frames are taken as the text that came. */
export class RecordedSocket {
  private readonly came: string[] = [];
  private closed: string | null = null;

  private constructor(
    private readonly socket: WebSocket,
    private readonly who: string,
    private readonly recording: WireRecording,
  ) {
    socket.on('message', (data: Buffer) => this.came.push(data.toString('utf8')));
    socket.on('close', (code, reason) => (this.closed = `${code} ${reason.toString('utf8')}`));
    socket.on('error', () => undefined);
  }

  static open(url: string, ticket: string, who: string, recording: WireRecording): RecordedSocket {
    const socket = new WebSocket(url, ['tidings.v1.json', `ticket.${ticket}`]);
    return new RecordedSocket(socket, who, recording);
  }

  /** Sends a frame; a text goes out as it is. */
  send(frame: object | string): void {
    const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
    this.recording.note(`${this.who}>`, text);
    this.socket.send(text);
  }

  /**
   * Takes the next frame of each of these types, whatever lies between them. Frames of one type may
   * come in any order (an answer, and the push of the same).
   */
  async sees(...types: string[]): Promise<string[]> {
    const seen: string[] = [];
    for (const type of types) seen.push(await this.takes(type));
    for (const type of new Set(types)) {
      const same = seen.filter((text) => typeOf(text) === type);
      this.recording.note(`${this.who}<`, ...same);
    }
    return seen;
  }

  private takes(type: string, withinMs = 30_000): Promise<string> {
    return eventually(() => {
      const at = this.came.findIndex((one) => typeOf(one) === type);
      if (at < 0) throw new Error(`${this.who} has no ${type}, but ${this.came.join('\n')}`);
      return this.came.splice(at, 1)[0]!;
    }, withinMs);
  }

  /** The code and reason that the server closes with. */
  async isClosed(): Promise<void> {
    const closed = await eventually(() => {
      if (this.closed === null) throw new Error(`${this.who} is still connected`);
      return this.closed;
    }, 30_000);
    this.recording.note(`${this.who}x`, closed);
  }

  /** Asks until the answer is not `delayed`, which is for a busy machine to say; that one counts. */
  async syncs(frame: object): Promise<void> {
    const text = JSON.stringify(frame);
    for (;;) {
      this.socket.send(text);
      const answer = await this.takes('synced');
      if ((JSON.parse(answer) as { delayed?: boolean }).delayed === true) continue;
      this.recording.note(`${this.who}>`, text);
      this.recording.note(`${this.who}<`, answer);
      return;
    }
  }

  /** Says what may be lost until somebody else sees it; one of each counts. */
  async repeats(frame: object, receiver: RecordedSocket, type: string): Promise<void> {
    const text = JSON.stringify(frame);
    const seen = await eventually(() => {
      this.socket.send(text);
      return receiver.takes(type, LOST_AFTER_MS);
    }, 30_000);
    this.recording.note(`${this.who}>`, text);
    receiver.recording.note(`${receiver.who}<`, seen);
  }

  /** Frames that nobody has taken, without those of which there may be more than one. */
  get left(): readonly string[] {
    return this.came.filter((text) => !REPEATED.has(typeOf(text)));
  }

  end(): void {
    this.socket.terminate();
  }
}

const typeOf = (frame: string): string => (JSON.parse(frame) as { type: string }).type;
