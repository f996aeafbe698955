import { createHash, randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { within } from './tiny-wait';

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;

/** The client side of RFC 6455, as much as the page needs: text frames, ping, close. */
export class TinySocket {
  readonly events = new EventEmitter();
  private rest = Buffer.alloc(0);

  private constructor(private readonly socket: Socket) {}

  static async open(address: string, protocols: readonly string[]): Promise<TinySocket> {
    const url = new URL(address);
    const socket = connectTcp(Number(url.port || 80), url.hostname);
    const key = randomBytes(16).toString('base64');
    socket.write(
      [
        `GET ${url.pathname} HTTP/1.1`,
        `Host: ${url.host}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Key: ${key}`,
        'Sec-WebSocket-Version: 13',
        `Sec-WebSocket-Protocol: ${protocols.join(', ')}`,
        '\r\n',
      ].join('\r\n'),
    );
    const open = new TinySocket(socket);
    await within(open.upgraded(key), 'upgrade');
    return open;
  }

  send(text: string): void {
    this.frame(OPCODE.text, Buffer.from(text));
  }

  close(): void {
    this.frame(OPCODE.close, Buffer.from([0x03, 0xe8]));
    this.socket.end();
  }

  private upgraded(key: string): Promise<void> {
    const accept = createHash('sha1')
      .update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
      .digest('base64');
    return new Promise((resolve, reject) => {
      this.socket.on('error', reject);
      const head = (chunk: Buffer): void => {
        this.rest = Buffer.concat([this.rest, chunk]);
        const end = this.rest.indexOf('\r\n\r\n');
        if (end < 0) return;
        const text = this.rest.subarray(0, end).toString();
        this.rest = this.rest.subarray(end + 4);
        this.socket.off('data', head);
        if (!text.startsWith('HTTP/1.1 101') || !text.includes(accept)) {
          reject(new Error(`refused: ${text.split('\r\n', 1)[0]}`));
          return;
        }
        this.socket.on('data', (more: Buffer) => this.read(more));
        setImmediate(() => this.read(Buffer.alloc(0)));
        resolve();
      };
      this.socket.on('data', head);
    });
  }

  private read(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (;;) {
      if (this.rest.length < 2) return;
      let length = this.rest[1]! & 0x7f;
      let at = 2;
      if (length === 126) {
        if (this.rest.length < 4) return;
        length = this.rest.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (this.rest.length < 10) return;
        length = Number(this.rest.readBigUInt64BE(2));
        at = 10;
      }
      if (this.rest.length < at + length) return;
      const opcode = this.rest[0]! & 0x0f;
      const payload = this.rest.subarray(at, at + length);
      this.rest = this.rest.subarray(at + length);
      if (opcode === OPCODE.text) this.events.emit('text', payload.toString());
      else if (opcode === OPCODE.ping) this.frame(OPCODE.pong, payload);
      else if (opcode === OPCODE.close) this.socket.end();
    }
  }

  /** Clients mask what they send (RFC 6455 §5.3). */
  private frame(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    if (length < 126) head[1] = 0x80 | length;
    else if (length < 65_536) {
      head[1] = 0x80 | 126;
      head.writeUInt16BE(length, 2);
    } else {
      head[1] = 0x80 | 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    const mask = randomBytes(4);
    const masked = Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]!));
    this.socket.write(Buffer.concat([head, mask, masked]));
  }
}
