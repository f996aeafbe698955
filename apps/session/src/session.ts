import { STORAGE_RPC } from '@tidings/common/rpc/calls';
import { CallWatch } from '@tidings/common/rpc/call-watch';
import { logStateOf, type LogState } from '@tidings/common/rpc/log-state';
import { RpcClient } from '@tidings/common/rpc/rpc-client';
import type { LogConsumerStrategy } from '@tidings/common/kafka/consumer/log-consumer';
import { Boots } from '@tidings/common/redis/boots';
import { InboxWriter } from '@tidings/common/redis/inbox';
import { Routes } from '@tidings/common/redis/routes';
import type { Step } from '@tidings/common/runtime/lifecycle';
import { Service, type ServiceOptions } from '@tidings/common/runtime/service';
import { receiptsConsumer } from './receipts/receipts.consumer';
import { presenceConsumer } from './presence/presence.consumer';
import { READS } from './reads';
import { Deliveries } from './routing/deliveries';
import { EveryGateway } from './routing/every-gateway';
import { MessagesConsumer } from './routing/messages.consumer';
import type { SessionEnv } from './session.env';
import { typingConsumer } from './typing/typing.consumer';

const LEAVE_WITHIN_MS = 12_000;

/** The session service: its parts and the order in which they start. */
export class Session {
  private readonly service: Service;
  private readonly calls: CallWatch;
  private readonly storage: RpcClient<typeof STORAGE_RPC>;
  /** Null before the others were reached. */
  private log: LogState | null = null;
  /** Null before their step has begun. */
  private messages: MessagesConsumer | null = null;
  private receipts: LogConsumerStrategy | null = null;
  /** Typing and presence: what is lost of them is told again soon. */
  private signals: LogConsumerStrategy[] = [];

  constructor(private readonly options: ServiceOptions<SessionEnv>) {
    const { env, logger, metrics, readiness } = options;
    this.service = new Service(options, READS);
    // nobody calls a session
    this.service.answer(() => false);
    this.calls = new CallWatch(metrics, logger);
    this.storage = new RpcClient(STORAGE_RPC, {
      report: this.calls.of('storage'),
      urls: env.STORAGE_URLS,
      listed: () => this.service.nodes.of('storage'),
      nodeId: env.NODE_ID,
      secret: env.CLUSTER_SECRET,
    });
    readiness.add('kafka', () => (this.messages?.isReady() ? null : 'not joined yet'));
    readiness.add('receipts', () => (this.receipts?.isReady() ? null : 'not joined yet'));
    readiness.add('redis', () => this.service.redisProblem());
  }

  /**
   * The start order; stopping is its reverse. Messages come first, and neither the other groups nor the
   * listener take time from them: until then nobody is pushed anything.
   */
  steps(): Step[] {
    const { service } = this;
    return [
      { name: 'listener', stop: () => service.stopListening() },
      { name: 'redis', stop: () => service.leaveRedis() },
      { name: 'storage', stop: () => this.storage.close() },
      { name: 'topics', stop: () => service.stopWaiting() },
      { name: 'others', start: () => this.reachOthers() },
      {
        name: 'consumer',
        start: () => this.consume(),
        stop: () => this.leave(),
        stopWithinMs: LEAVE_WITHIN_MS,
      },
      { name: 'nodes', start: () => service.announce(), stop: () => service.drain() },
    ];
  }

  /** The listener, Redis, Kafka and storage side by side. */
  private async reachOthers(): Promise<void> {
    const { service, storage } = this;
    const listening = service.listen(this.calls);
    const partitions = this.options.env.KAFKA_PARTITIONS;
    const log = logStateOf(storage, { partitions, ...service.awaiting('storage') });
    [this.log] = await Promise.all([log, service.checkTopics(), service.reachRedis(), listening]);
  }

  /** Joins the group of the messages; the others when these flow. */
  private async consume(): Promise<void> {
    if (!this.log) throw new Error('consuming starts behind the state of the log');
    const { service, storage, log, options } = this;
    const failed = (error: unknown): void => service.defects.note('record', error);
    const { redis } = service;
    const every = new EveryGateway(service.gateways, new Boots(redis));
    const inboxes = new InboxWriter(redis);
    const deliveries = new Deliveries(new Routes(redis), inboxes, every, failed);
    const parts = { service, storage, log, deliveries, options };
    this.messages = new MessagesConsumer(parts);
    this.receipts = receiptsConsumer(parts);
    this.signals = [typingConsumer(parts), presenceConsumer(parts)];
    await this.messages.start();
    await Promise.all([this.receipts, ...this.signals].map((one) => one.start()));
  }

  private async leave(): Promise<void> {
    const consumers = [this.receipts, ...this.signals];
    await Promise.all([this.messages?.leave(), ...consumers.map((one) => one?.close())]);
    await Promise.all([this.messages?.flush(), this.service.leavePeers()]);
  }
}
