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
  /** closed from our side: what still comes is nobody's */
  left = false;

  constructor(
    private readonly index: number,
    private readonly table: Connections,
  ) {}

  onText(bytes: Buffer, start: number, end: number): void {
    if (this.greeted) {
      this.greeted(bytes.toString('utf8', start, end));
      this.greeted = null;
    } else if (!this.left) this.table.listener?.onFrame(this.index, bytes, start, end);
  }

  onClosed(code: number, reason: string): void {
    this.greeted?.(null);
    this.greeted = null;
    this.table.onClosed(this.index, code, reason, this.left);
  }
}

/** The sockets of all devices. */
export class Connections {
  listener: DeviceListener | null = null;
  /** by index among the devices of all generators: those of the others are left out */
  readonly devices: DevicePlan[] = [];
  private readonly sockets: DeviceSocket[] = [];
  private readonly byGateway: Record<string, number> = {};
  private limits: Record<string, number> = {};
  private misplaced = 0;
  private open = 0;
  private closing = false;
  private entrance: ConnectPlan['entrance'] | null = null;

  /** Opens sockets for further devices. Rejects when one of them gets none. */
  async connect(plan: ConnectPlan): Promise<ConnectResult> {
    const began = monotonicMs();
    const { devices, indices, entrance } = plan;
    devices.forEach((device, at) => (this.devices[indices[at]!] = device));
    this.entrance = entrance;
    await inParallel(devices.length, plan.concurrency, (at) =>
      this.openOne(entrance, indices[at]!),
    );
    const { open, byGateway, misplaced, limits } = this;
    return { open, byGateway, misplaced, limits, ms: monotonicMs() - began };
  }

  /** Sends one frame; nothing when the device's socket has ended. */
  send(device: number, frame: Buffer): void {
    this.sockets[device]?.socket?.write(frame);
  }

  /** A socket has ended; `left`: it was closed from our side. */
  onClosed(device: number, code: number, reason: string, left: boolean): void {
    this.open--;
    if (!this.closing && !left) this.listener?.onClosed(device, code, reason);
  }

  /** Closes one device's socket; nothing more comes from it. */
  leave(device: number): void {
    const owner = this.sockets[device];
    if (!owner) return;
    owner.left = true;
    owner.socket?.close();
  }

  /**
   * Opens a socket again for a device that has left; `begins` is called when it has its ticket.
   * Rejects when it gets none.
   */
  async comeBack(device: number, begins: () => void): Promise<void> {
    if (!this.entrance) throw new Error('nobody is connected');
    await this.openOne(this.entrance, device, begins);
  }

  /** Closes all sockets. */
  close(): void {
    this.closing = true;
    for (const { socket } of this.sockets) socket?.close();
  }

  private async openOne(
    entrance: ConnectPlan['entrance'],
    index: number,
    begins: () => void = () => undefined,
  ): Promise<void> {
    const way = await wayIn(entrance, this.devices[index]!, index);
    begins();
    const owner = new DeviceSocket(index, this);
    this.sockets[index] = owner;
    const welcome = new Promise<string | null>((resolve) => {
      owner.greeted = resolve;
      setTimeout(() => resolve(null), WELCOME_TIMEOUT_MS).unref();
    });
    const localAddress = sourceAddress(way.url, index);
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

/** Where a socket comes from: on one machine from as many addresses as are needed. */
function sourceAddress(url: string, index: number): string | undefined {
  if (!new URL(url).hostname.startsWith('127.')) return undefined;
  return `127.0.0.${1 + Math.floor(index / SOCKETS_PER_ADDRESS)}`;
}
