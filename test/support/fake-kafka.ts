import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import { type WireRecord, WireReader, WireWriter, decodeRecordBatch } from './kafka-wire';

/** What a fake broker does with one produce request. */
export type ProduceFate =
  | 'answer'
  /** Appends, then resets the connection instead of answering. */
  | 'appendAndCut'
  /** Resets the connection without appending. */
  | 'cut'
  /** Appends and never answers. */
  | 'appendAndHang'
  /** Per partition: an error code without an append, or `omit`: appended but not in the answer. */
  | { partitions: Record<number, number | 'omit'> };

/** A produce request as a broker received it. */
export interface ProduceRequest {
  node: number;
  /** Number of this request over all nodes, from 1. */
  number: number;
  /** Which connection of the cluster it came over, from 1. */
  connection: number;
  acks: number;
  partitions: { partition: number; records: WireRecord[]; bytes: number }[];
}

const API = { produce: 0, listOffsets: 2, metadata: 3, apiVersions: 18 } as const;
const MAX_VERSION: Record<number, number> = { 0: 7, 2: 3, 3: 6, 18: 2 };
const NOT_LEADER = 6;
const LEADER_NOT_AVAILABLE = 5;
const UNKNOWN_TOPIC = 3;
const MESSAGE_TOO_LARGE = 10;

/**
 * A cluster of brokers that speak just enough Kafka for a producer and for ListOffsets: one topic, a
 * log per partition, leaders that can move. No idempotence: what arrives is appended.
 */
export class FakeKafka {
  /** What is in the log, per partition. */
  readonly logs: WireRecord[][];
  /** Leading node per partition; -1: none. */
  readonly leaders: number[];
  readonly requests: ProduceRequest[] = [];
  /** Decides about each produce request; may move leaders. */
  fate: (request: ProduceRequest) => ProduceFate = () => 'answer';
  /** Called before each partition of a request is looked at: a leader may move in mid-batch. */
  beforePartition: (request: ProduceRequest, partition: number) => void = () => undefined;
  maxBatchBytes = Infinity;
  listOffsetsCalls = 0;
  /** Milliseconds before a produce or ListOffsets request is answered. */
  latencyMs = 0;
  private readonly nodes: FakeBroker[] = [];
  private connections = 0;

  private constructor(
    readonly topic: string,
    partitions: number,
    nodeCount: number,
  ) {
    this.logs = Array.from({ length: partitions }, () => []);
    this.leaders = Array.from({ length: partitions }, (_, i) => i % nodeCount);
  }

  static async start(options: {
    topic: string;
    partitions: number;
    nodes?: number;
  }): Promise<FakeKafka> {
    const { topic, partitions, nodes = 1 } = options;
    const kafka = new FakeKafka(topic, partitions, nodes);
    for (let id = 0; id < nodes; id++) kafka.nodes.push(await FakeBroker.start(id, kafka));
    return kafka;
  }

  get brokers(): string[] {
    return this.nodes.map((node) => `127.0.0.1:${node.port}`);
  }

  /** Resets the connections of a node and refuses new ones until {@link revive}. */
  async kill(node: number): Promise<void> {
    await this.nodes[node]!.close();
  }

  async revive(node: number): Promise<void> {
    await this.nodes[node]!.listen();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  nextConnection(): number {
    return ++this.connections;
  }

  /** Body of a Metadata response, version 6. */
  metadata(topics: string[]): Buffer {
    const out = new WireWriter().int32(0);
    out.array(this.nodes, (node) => {
      out.int32(node.id).string('127.0.0.1').int32(node.port).int16(-1);
    });
    out.string('fake').int32(0);
    out.array(topics, (topic) => {
      const known = topic === this.topic;
      out
        .int16(known ? 0 : UNKNOWN_TOPIC)
        .string(topic)
        .int8(0);
      out.array(known ? this.leaders : [], (leader, partition) => {
        out.int16(leader < 0 ? LEADER_NOT_AVAILABLE : 0);
        out.int32(partition).int32(leader).int32(0).int32(0).int32(0);
      });
    });
    return out.bytes();
  }

  /** Body of a ListOffsets response, version 3; any timestamp but "earliest" means the end. */
  listOffsets(node: number, reader: WireReader): Buffer {
    this.listOffsetsCalls++;
    reader.take(5);
    const topics = reader.array(() => ({
      topic: reader.string(),
      partitions: reader.array(() => ({ partition: reader.int32(), time: reader.int64() })),
    }));
    const out = new WireWriter().int32(0);
    out.array(topics, ({ topic, partitions }) => {
      out.string(topic);
      out.array(partitions, ({ partition, time }) => {
        const led = this.leaders[partition] === node;
        const offset = time === -2n ? 0n : BigInt(this.logs[partition]!.length);
        out
          .int32(partition)
          .int16(led ? 0 : NOT_LEADER)
          .int64(-1n)
          .int64(led ? offset : -1n);
      });
    });
    return out.bytes();
  }

  /** Handles a produce request; null: the connection is to be cut, undefined: no answer. */
  produce(node: number, connection: number, reader: WireReader): Buffer | null | undefined {
    reader.string();
    const acks = reader.int16();
    reader.int32();
    const [data] = reader.array(() => ({
      topic: reader.string(),
      partitions: reader.array(() => {
        const partition = reader.int32();
        const bytes = reader.take(reader.int32());
        return { partition, records: decodeRecordBatch(bytes), bytes: bytes.length };
      }),
    }));
    const request: ProduceRequest = {
      node,
      connection,
      acks,
      number: this.requests.length + 1,
      partitions: data?.partitions ?? [],
    };
    this.requests.push(request);
    const fate = this.fate(request);
    if (fate === 'cut') return null;
    const answers = request.partitions.map((part) => this.append(request, part, fate));
    if (fate === 'appendAndCut') return null;
    if (fate === 'appendAndHang') return undefined;
    const out = new WireWriter().int32(1).string(this.topic);
    out.array(
      answers.filter((answer) => !answer.omit),
      ({ partition, code, offset }) => {
        out.int32(partition).int16(code).int64(offset).int64(-1n).int64(0n);
      },
    );
    return out.int32(0).bytes();
  }

  private append(
    request: ProduceRequest,
    { partition, records, bytes }: ProduceRequest['partitions'][number],
    fate: ProduceFate,
  ): { partition: number; code: number; offset: bigint; omit: boolean } {
    this.beforePartition(request, partition);
    const wanted = typeof fate === 'object' ? fate.partitions[partition] : undefined;
    let code = typeof wanted === 'number' ? wanted : 0;
    if (this.leaders[partition] !== request.node) code = NOT_LEADER;
    else if (bytes > this.maxBatchBytes) code = MESSAGE_TOO_LARGE;
    if (code !== 0) return { partition, code, offset: -1n, omit: false };
    const log = this.logs[partition]!;
    const offset = BigInt(log.length);
    log.push(...records);
    return { partition, code, offset, omit: wanted === 'omit' };
  }
}

/** One listening port of the cluster. */
class FakeBroker {
  private server: Server | null = null;
  private readonly sockets = new Set<Socket>();
  port = 0;

  private constructor(
    readonly id: number,
    private readonly kafka: FakeKafka,
  ) {}

  static async start(id: number, kafka: FakeKafka): Promise<FakeBroker> {
    const broker = new FakeBroker(id, kafka);
    await broker.listen();
    return broker;
  }

  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.serve(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const server = this.server;
    this.server = null;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.sockets) socket.resetAndDestroy();
    await closed;
  }

  private serve(socket: Socket): void {
    const connection = this.kafka.nextConnection();
    let buffered = Buffer.alloc(0);
    let hung = false;
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('data', (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 4 && buffered.length >= 4 + buffered.readInt32BE(0)) {
        const size = buffered.readInt32BE(0);
        const frame = buffered.subarray(4, 4 + size);
        buffered = buffered.subarray(4 + size);
        if (hung || socket.destroyed) continue;
        const reply = this.handle(new WireReader(frame), connection);
        if (reply === null) socket.resetAndDestroy();
        else if (reply === undefined) hung = true;
        else this.reply(socket, reply);
      }
    });
  }

  private reply(socket: Socket, { correlation, body, late }: Reply): void {
    const send = () => {
      const head = Buffer.alloc(8);
      head.writeInt32BE(body.length + 4, 0);
      head.writeInt32BE(correlation, 4);
      if (socket.writable) socket.write(Buffer.concat([head, body]));
    };
    if (late && this.kafka.latencyMs > 0) setTimeout(send, this.kafka.latencyMs).unref();
    else send();
  }

  private handle(reader: WireReader, connection: number): Reply | null | undefined {
    const api = reader.int16();
    const version = reader.int16();
    const correlation = reader.int32();
    reader.string();
    if (version > (MAX_VERSION[api] ?? -1)) throw new Error(`api ${api} version ${version}`);
    switch (api) {
      case API.apiVersions:
        return { correlation, body: apiVersions(), late: false };
      case API.metadata: {
        const topics = reader.array(() => reader.string());
        return { correlation, body: this.kafka.metadata(topics), late: false };
      }
      case API.listOffsets:
        return { correlation, body: this.kafka.listOffsets(this.id, reader), late: true };
      default: {
        const body = this.kafka.produce(this.id, connection, reader);
        return body && { correlation, body, late: true };
      }
    }
  }
}

interface Reply {
  correlation: number;
  body: Buffer;
  /** Whether the cluster's latency applies. */
  late: boolean;
}

/** Body of an ApiVersions response, version 2. */
function apiVersions(): Buffer {
  const out = new WireWriter().int16(0);
  out.array(Object.entries(MAX_VERSION), ([key, max]) => {
    out.int16(Number(key)).int16(0).int16(max);
  });
  return out.int32(0).bytes();
}
