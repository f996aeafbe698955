import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { Partitioners, type Producer, type TopicMessages } from 'kafkajs';
import { WebSocket, WebSocketServer } from 'ws';
import { partitionOf } from '@tidings/common/kafka/writer/partitioner';
import {
  type ProcessStart,
  type Started,
  type Topology,
  kafkaClient,
  runProcess,
} from './topology';

/** A message that waits for its append. */
interface Waiting {
  socket: WebSocket;
  messageId: string;
  conversationId: string;
  value: string;
  partition: number;
}

interface SendFrame {
  messageId: string;
  conversationId: string;
  content: object;
}

const MAX_BATCH = 1000;

/**
 * Gateway of the bare pipeline: a socket's message goes to the log, the answer comes with its
 * offset; what the router puts into the inbox goes to the sockets. Nothing is checked.
 */
class BareGateway {
  private readonly sockets = new Map<string, WebSocket>();
  private queue: Waiting[] = [];
  private sending = false;

  constructor(
    private readonly topology: Topology,
    private readonly gateway: number,
    private readonly producer: Producer,
    private readonly redis: Redis,
  ) {}

  async listen(): Promise<string> {
    const server = createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: false });
    sockets.on('connection', (socket, request) => {
      const user = new URL(request.url ?? '/', 'ws://localhost').searchParams.get('user') ?? '';
      void this.open(user, socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  private async open(user: string, socket: WebSocket): Promise<void> {
    this.sockets.set(user, socket);
    socket.on('message', (data: Buffer) => this.receive(user, socket, data));
    socket.on('close', () => this.sockets.delete(user));
    socket.on('error', () => undefined);
    await this.redis.hset(this.topology.routes, user, this.gateway);
    socket.send('{"type":"welcome"}');
  }

  private receive(user: string, socket: WebSocket, data: Buffer): void {
    const { messageId, conversationId, content } = JSON.parse(data.toString()) as SendFrame;
    const sentAt = new Date().toISOString();
    const value = JSON.stringify({ conversationId, messageId, senderId: user, content, sentAt });
    const partition = partitionOf(conversationId, this.topology.partitions);
    this.queue.push({ socket, messageId, conversationId, value, partition });
    if (!this.sending) void this.flush();
  }

  /** What queues while a batch is under way is the next batch. */
  private async flush(): Promise<void> {
    this.sending = true;
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0, MAX_BATCH);
      await this.append(batch);
    }
    this.sending = false;
  }

  private async append(batch: readonly Waiting[]): Promise<void> {
    const messages: TopicMessages = {
      topic: this.topology.topic,
      messages: batch.map(({ conversationId, value, partition }) => ({
        key: conversationId,
        value,
        partition,
      })),
    };
    const answers = await this.producer.sendBatch({ acks: -1, topicMessages: [messages] });
    const next = new Map(answers.map((part) => [part.partition, Number(part.baseOffset)]));
    for (const { socket, messageId, conversationId, partition } of batch) {
      const position = next.get(partition) ?? 0;
      next.set(partition, position + 1);
      socket.send(
        `{"type":"sent","messageId":"${messageId}","conversationId":"${conversationId}","position":"${position}"}`,
      );
    }
  }

  /** Reads the inbox for ever. */
  async deliver(inbox: Redis): Promise<void> {
    const key = this.topology.inbox + this.gateway;
    for (let last = '0'; ;) {
      const answer = await inbox.xread('COUNT', 500, 'BLOCK', 1000, 'STREAMS', key, last);
      for (const [id, fields] of answer?.[0]?.[1] ?? []) {
        last = id;
        for (let i = 0; i + 1 < fields.length; i += 2) {
          this.sockets.get(fields[i]!)?.send(fields[i + 1]!);
        }
      }
    }
  }
}

async function start({ topology, gateway }: ProcessStart): Promise<Started> {
  const producer = kafkaClient(topology, `bare-gateway-${gateway}`).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
    idempotent: false,
  });
  await producer.connect();
  const redis = new Redis(topology.redisUrl);
  const bare = new BareGateway(topology, gateway, producer, redis);
  bare.deliver(new Redis(topology.redisUrl)).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
  return { ready: { url: await bare.listen() }, stop: () => producer.disconnect() };
}

runProcess(start);
