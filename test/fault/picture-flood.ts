import { connect, type Socket } from 'node:net';
import type { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Counts } from './pace';

/** Connections to each gateway. */
const CONNECTIONS = 8;
/** As many uploads as a user may have under way: the others begin when the first is refused. */
const FIRST = 4;
/** Until what was under way is answered, milliseconds: images wait for their turn. */
const LAST_ANSWERS_MS = 90_000;
const AGAIN_MS = 50;
const REFUSED = '429';
/** The first of the addresses that it comes from: its limits per address are not the others'. */
const FIRST_ADDRESS = 2;

/**
 * One account that uploads a picture without a pause, whatever it is answered: first so that as many as
 * possible are worked on, then from all sides.
 */
export class PictureFlood {
  /** By status. */
  readonly answers = new Counts();
  /** Settles when it was refused for the first time: it has had what it may have at once. */
  readonly refused: Promise<void>;
  private readonly later: (() => void)[] = [];
  private readonly sockets = new Set<Socket>();
  private waiting = 0;
  private running = true;

  constructor(
    private readonly user: ChatUser,
    private readonly conversationId: string,
    private readonly picture: Buffer,
  ) {
    this.refused = new Promise((resolve) => this.later.push(resolve));
    const bases = user.bases.flatMap((base) => Array<string>(CONNECTIONS).fill(base));
    bases.forEach((base, n) => {
      const begin = (): void => this.connect(base, n);
      if (n % CONNECTIONS < FIRST) begin();
      else this.later.push(begin);
    });
  }

  /** Sends no more and waits until everything that it sent is answered. */
  async end(): Promise<void> {
    this.running = false;
    await eventually(() => expect(this.waiting).toBe(0), LAST_ANSWERS_MS, 100);
    for (const socket of this.sockets) socket.destroy();
  }

  private connect(base: string, n: number): void {
    const { hostname, port } = new URL(base);
    const localAddress = `127.0.0.${FIRST_ADDRESS + n}`;
    const socket = connect({ host: hostname, port: Number(port), localAddress });
    const request = this.request(hostname);
    let asked = false;
    let seen = '';
    const ask = (): void => {
      asked = this.running;
      if (!asked) return;
      this.waiting += 1;
      socket.write(request);
    };
    const answered = (status: string): void => {
      if (!asked) return;
      asked = false;
      this.waiting -= 1;
      this.answers.add(status);
      if (status === REFUSED) this.later.splice(0).forEach((begin) => begin());
    };
    this.sockets.add(socket);
    socket.on('connect', ask);
    socket.on('data', (data: Buffer) => {
      seen += data.toString('latin1');
      const end = endOfAnswer(seen);
      if (end === null) return;
      answered(seen.slice(9, 12));
      seen = seen.slice(end);
      ask();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      answered('closed');
      this.sockets.delete(socket);
      setTimeout(() => this.running && this.connect(base, n), AGAIN_MS);
    });
  }

  private request(host: string): Buffer {
    const head = [
      'POST /v1/media HTTP/1.1',
      `Host: ${host}`,
      `Authorization: Bearer ${this.user.accessToken}`,
      `X-Conversation-Id: ${this.conversationId}`,
      'Content-Type: image/png',
      `Content-Length: ${this.picture.length}`,
    ];
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), this.picture]);
  }
}

/** Where the first answer in a text ends; null: it is not whole yet. */
function endOfAnswer(text: string): number | null {
  const head = text.indexOf('\r\n\r\n');
  const length = /^content-length: (\d+)\r$/im.exec(text.slice(0, head + 1))?.[1];
  if (head < 0 || length === undefined) return null;
  const end = head + 4 + Number(length);
  return text.length < end ? null : end;
}
