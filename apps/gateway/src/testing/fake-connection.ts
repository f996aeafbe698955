import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { Connection, type ClientSocket, type Owner } from '../socket/connection';

/** The parts of a TCP socket that the gateway touches. */
class FakeRaw extends EventEmitter {
  /** Payloads of the text frames that were written. */
  readonly frames: string[] = [];
  writableLength = 0;
  destroyed = false;
  readonly corks: string[] = [];

  private written = Buffer.alloc(0);

  /** Takes whole frames and pieces of them. */
  write(bytes: Uint8Array): void {
    const all = Buffer.concat([this.written, bytes]);
    const head = { 126: 4, 127: 10 }[all[1]!] ?? 2;
    const length = head === 2 ? all[1]! : head === 4 ? all.readUInt16BE(2) : all.readUInt32BE(6);
    const whole = all.length >= head + length;
    if (whole) this.frames.push(all.toString('utf8', head, head + length));
    this.written = whole ? all.subarray(head + length) : all;
  }

  cork(): void {
    this.corks.push('cork');
  }

  uncork(): void {
    this.corks.push('uncork');
  }
}

/** The parts of a WebSocket that the gateway touches. */
class FakeSocket {
  readonly readyState = WebSocket.OPEN;
  readonly calls: string[] = [];
  closed: { code: number; reason: string } | null = null;

  close(code: number, reason: string): void {
    this.closed = { code, reason };
  }

  ping(): void {
    this.calls.push('ping');
  }

  pause(): void {
    this.calls.push('pause');
  }

  resume(): void {
    this.calls.push('resume');
  }
}

export interface FakeConnectionOptions {
  id?: string;
  owner?: Partial<Owner>;
  frames?: { perSecond: number; burst: number };
  now?: number;
}

const OFF = { perSecond: 0, burst: 0 };
const OWNER: Owner = {
  userId: '01890a5d-ac96-774b-bcce-b302099a8001',
  deviceId: '01890a5d-ac96-774b-bcce-b302099a8002',
  sessionGeneration: 1,
  generation: '100',
};

/** A connection over fakes, for specifications of what is above the socket. */
export function fakeConnection(options: FakeConnectionOptions = {}) {
  const raw = new FakeRaw();
  const socket = new FakeSocket();
  const connection = new Connection(
    options.id ?? 'c1',
    { ...OWNER, ...options.owner },
    socket as unknown as ClientSocket,
    raw as unknown as Socket,
    options.frames ?? OFF,
    options.now ?? 0,
  );
  return { connection, raw, socket, frames: raw.frames };
}
