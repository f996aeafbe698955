import { inParallel } from '../api';
import { monotonicMs } from '../clock';
import { wayIn } from './entrance';
import type { ConnectPlan, ConnectResult, DevicePlan } from './protocol';
import { RawSocket, type SocketOwner } from './raw-socket';

/** One source address has some 28 000 ports; beyond this many sockets the next 127.0.0.x is used. */
const SOCKETS_PER_ADDRESS = 19_000;
const WELCOME_TIMEOUT_MS = 15_000;

/** Who gets what the devices receive while messages are sent. */
export interface DeviceListener {
  onFrame(device: number, bytes: Buffer, start: number, end: number): void;
  onClosed(device: number, code: number, reason: string): void;
}

/** One device's socket. */
class DeviceSocket implements SocketOwner {
  socket: RawSocket | null = null;
  /** told the text of the first frame, or null when the socket has ended before it */
  greeted: ((welcome: string | null) => void) | null = null;

  constructor(
    private readonly index: number,
    private readonly table: Connections,
  ) {}

  onText(bytes: Buffer, start: number, end: number): void {
    if (this.greeted) {
      this.greeted(bytes.toString('utf8', start, end));
      this.greeted = null;
    } else this.table.listener?.onFrame(this.index, bytes, start, end);
  }

  onClosed(code: number, reason: string): void {
    this.greeted?.(null);
    this.greeted = null;
    this.table.onClosed(this.index, code, reason);
  }
}

/** The sockets of all devices. */
export class Connections {
  listener: DeviceListener | null = null;
  readonly devices: DevicePlan[] = [];
  private readonly sockets: DeviceSocket[] = [];
  private readonly byGateway: Record<string, number> = {};
  private limits: Record<string, number> = {};
  private misplaced = 0;
  private open = 0;
  private closing = false;

  /** Opens sockets for further devices. Rejects when one of them gets none. */
  async connect(plan: ConnectPlan): Promise<ConnectResult> {
    const began = monotonicMs();
    const first = this.devices.length;
    this.devices.push(...plan.devices);
    await inParallel(plan.devices.length, plan.concurrency, (offset) =>
      this.openOne(plan, first + offset),
    );
    const { open, byGateway, misplaced, limits } = this;
    return { open, byGateway, misplaced, limits, ms: monotonicMs() - began };
  }

  /** Sends one frame; nothing when the device's socket has ended. */
  send(device: number, frame: Buffer): void {
    this.sockets[device]?.socket?.write(frame);
  }

  /** A socket has ended. */
  onClosed(device: number, code: number, reason: string): void {
    this.open--;
    if (!this.closing) this.listener?.onClosed(device, code, reason);
  }

  /** Closes all sockets. */
  close(): void {
    this.closing = true;
    for (const { socket } of this.sockets) socket?.close();
  }

  private async openOne(plan: ConnectPlan, index: number): Promise<void> {
    const way = await wayIn(plan.entrance, this.devices[index]!, index);
    const owner = new DeviceSocket(index, this);
    this.sockets[index] = owner;
    const welcome = new Promise<string | null>((resolve) => {
      owner.greeted = resolve;
      setTimeout(() => resolve(null), WELCOME_TIMEOUT_MS).unref();
    });
    const localAddress = `127.0.0.${1 + Math.floor(index / SOCKETS_PER_ADDRESS)}`;
    owner.socket = await RawSocket.open({ ...way, localAddress }, owner);
    this.open++;
    const text = await welcome;
    if (text === null) throw new Error(`device ${index} got no welcome from ${way.url}`);
    this.note(text, way.url, way.asWanted);
  }

  private note(welcome: string, url: string, asWanted: boolean): void {
    const frame = JSON.parse(welcome) as { type?: string; limits?: Record<string, number> };
    if (frame.type !== 'welcome') throw new Error(`the first frame was ${frame.type}`);
    if (frame.limits) this.limits = frame.limits;
    const gateway = new URL(url).host;
    this.byGateway[gateway] = (this.byGateway[gateway] ?? 0) + 1;
    if (!asWanted) this.misplaced++;
  }
}
