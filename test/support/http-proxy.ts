import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/**
 * A proxy for HTTP and WebSocket as it stands before gateways. It adds the address of the client to
 * `X-Forwarded-For`, behind what the client says itself, and uses its connections for all clients.
 */
export class HttpProxy {
  private readonly agent = new Agent({ keepAlive: true });
  private readonly doors: Server[] = [];
  private readonly sockets = new Set<Socket>();

  /** @param target URL of the gateway */
  constructor(private readonly target: string) {}

  /** The URL at which the proxy takes a client for one with this address. */
  async door(address: string): Promise<string> {
    const door = createServer((incoming, answer) => {
      const { method, url } = incoming;
      const headers = told(incoming, address);
      const passed = request(this.target + url, { method, headers, agent: this.agent });
      passed.on('response', (response) => {
        answer.writeHead(response.statusCode!, response.headers);
        response.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      answer.once('close', () => answer.writableFinished || passed.destroy());
      incoming.pipe(passed);
    });
    door.on('upgrade', (incoming: IncomingMessage, client: Socket) => {
      const { hostname, port } = new URL(this.target);
      const gateway = connect(Number(port), hostname);
      for (const one of [client, gateway]) this.sockets.add(one.on('error', () => undefined));
      const headers = Object.entries(told(incoming, address));
      const lines = headers.map(([name, value]) => `${name}: ${String(value)}`);
      gateway.write(`GET ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      gateway.pipe(client).pipe(gateway);
      client.once('close', () => gateway.destroy());
      gateway.once('close', () => client.destroy());
    });
    this.doors.push(door.listen(0, '127.0.0.1'));
    await once(door, 'listening');
    return `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  }

  close(): void {
    this.agent.destroy();
    for (const socket of this.sockets) socket.destroy();
    for (const door of this.doors) door.close().closeAllConnections();
  }
}

function told({ headers }: IncomingMessage, address: string): IncomingMessage['headers'] {
  const before = headers['x-forwarded-for'];
  return { ...headers, 'x-forwarded-for': before ? `${String(before)}, ${address}` : address };
}
