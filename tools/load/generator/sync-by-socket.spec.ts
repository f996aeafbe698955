import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { syncBySocket } from './sync-by-socket';

describe('a sync by a socket', () => {
  let http: Server;
  let sockets: WebSocketServer;
  /** What the server says to the first sync, the second … */
  let answers: object[][];
  let asked: unknown[];

  beforeEach(async () => {
    asked = [];
    http = createServer();
    sockets = new WebSocketServer({ server: http, handleProtocols: ([first]) => first! });
    sockets.on('connection', (socket) => {
      socket.send(JSON.stringify({ type: 'welcome' }));
      socket.on('message', (data: Buffer) => {
        asked.push(JSON.parse(data.toString()));
        for (const answer of answers.shift() ?? []) socket.send(JSON.stringify(answer));
      });
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => {
    sockets.close();
    http.close();
  });

  const part = { conversationId: 'a' };
  const run = () => {
    const { port } = http.address() as AddressInfo;
    const socketUrls = [`ws://127.0.0.1:${port}`];
    const device = { deviceId: 'd', userId: 'u', token: '', gateway: 0 };
    return syncBySocket({ kind: 'direct', socketUrls }, { device, index: 0 }, { since: 'old' });
  };

  it('ends with the part that says so', async () => {
    answers = [
      [
        { type: 'synced', conversations: [part] },
        { type: 'synced', conversations: [], since: 'new', complete: true },
      ],
    ];
    const { bodies, delayed } = await run();
    expect([bodies.length, delayed]).toEqual([2, 0]);
  });

  it('that is delayed is asked for again when the server says so, and only the whole answer counts', async () => {
    const late = { type: 'synced', conversations: [part], since: 'late', complete: false };
    answers = [
      [
        { ...late, delayed: true },
        { type: 'resync', reason: 'delayed', withinMs: 1 },
      ],
      [{ type: 'synced', conversations: [part], since: 'new', complete: true }],
    ];
    const { bodies, delayed } = await run();
    expect(bodies.map(({ since }) => since)).toEqual(['new']);
    expect(delayed).toBe(1);
    expect(asked).toMatchObject([{ since: 'old' }, { since: 'old' }]);
  });
});
