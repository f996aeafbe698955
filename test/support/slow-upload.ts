import { connect } from 'node:net';
import type { ChatUser } from './chat-user';

/** An upload that sends next to nothing, and what became of it. */
export class SlowUpload {
  /** What was answered so far. */
  seen = '';
  /** Monotonic milliseconds: when its answer began; null: not yet. */
  answeredAt: number | null = null;
  readonly closed: Promise<unknown>;
  private readonly socket;
  private readonly drip: NodeJS.Timeout;

  /** `token` left out: the user's own. */
  constructor(user: ChatUser, conversationId: string, token = user.accessToken) {
    const { port, hostname } = new URL(user.bases[0]!);
    this.socket = connect(Number(port), hostname);
    // by whatever end: a reset is one, too
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('error', () => undefined);
    this.socket.on('data', (data: Buffer) => {
      this.answeredAt ??= performance.now();
      this.seen += data.toString('latin1');
    });
    const head = [
      'POST /v1/media HTTP/1.1',
      `Host: ${hostname}`,
      `Authorization: Bearer ${token}`,
      `X-Conversation-Id: ${conversationId}`,
      'Content-Type: application/zip',
      'Content-Length: 1000000',
    ];
    this.socket.write(`${head.join('\r\n')}\r\n\r\nPK`);
    this.drip = setInterval(() => this.socket.write('x'), 500);
    void this.closed.then(() => clearInterval(this.drip));
  }

  /** Status of the answer; null: none yet. */
  get status(): number | null {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(this.seen)?.[1];
    return status === undefined ? null : Number(status);
  }

  async end(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }
}
