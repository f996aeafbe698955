import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { RoutedMarks } from '@tidings/common/redis/routed-marks';
import { makeAuth } from './parts/auth.parts';
import { ChangeHandler } from './change/change.handler';
import { ChangeService } from './change/change.service';
import { makeAnnouncer, makeBoot } from './parts/boot.parts';
import { makeDirectory } from './parts/directory.parts';
import type { GatewayContext } from './gateway.context';
import { OpenCallsGuard } from './http/open-calls.guard';
import { RefusalPace } from './http/refusal-pace';
import { SharedAddresses } from './http/shared-addresses';
import { makeRates } from './parts/rates.parts';
import { ReceiptHandler } from './receipts/receipt.handler';
import { makeReceipts } from './parts/receipts.parts';
import { makeLogs } from './parts/log.parts';
import { makeSends, type SendParts } from './parts/send.parts';
import { SendHandler } from './send/send.handler';
import { FrameRouter } from './socket/frame-router';
import { makeSockets } from './parts/socket.parts';
import { makeUpgrades } from './parts/upgrade.parts';
import { DelayedSyncs } from './sync/delayed-syncs';
import { SyncHandler } from './sync/sync.handler';
import { SyncService } from './sync/sync.service';
import { TraceService } from './trace/trace.service';
import { TypingParts } from './typing/typing.parts';

export type Gateway = ReturnType<typeof makeGateway>;

/** What is given; the rest of the context is made here. */
export type GatewayOptions = Omit<GatewayContext, 'gatewayId' | 'clock' | 'wallClock'>;

/** Puts a gateway together, theme by theme; nothing is started. */
export function makeGateway(options: GatewayOptions) {
  const { env, backends, positions, metrics, counts, logger, defects } = options;
  const clock = (): number => performance.now();
  const wallClock = (): number => Date.now() + env.TEST_CLOCK_OFFSET_MS;
  const context: GatewayContext = { ...options, clock, wallClock, gatewayId: env.NODE_ID };
  const { kafka, redis, storage } = backends;
  const partitions = env.KAFKA_PARTITIONS;

  const shared = new SharedAddresses(env.SHARED_ADDRESSES);
  const rates = makeRates(context);
  const auth = makeAuth(context);
  const directory = makeDirectory(context, auth);
  const logs = makeLogs(context, (partition) => sends.holding.stalled(partition));
  const sends: SendParts = makeSends(context, rates, logs, shared);
  const sockets = makeSockets(context, directory, logs, sends);
  const boot = makeBoot(context, auth, directory, sockets);
  const receipts = makeReceipts(context, logs, sends);
  const { membership, media } = sends;
  const { writes, close, failed } = sockets;
  const typing = new TypingParts({
    kafka,
    partitions,
    gatewayId: env.NODE_ID,
    epoch: positions.epoch,
    membership,
    metrics: metrics.typing,
    defects,
    clock,
    wallClock,
  });
  const { barrier, messages: writer } = logs;
  const syncs = new SyncService(storage, barrier);
  const delayed = new DelayedSyncs({ storage, barrier, writes, logger, failed, clock });
  const trace = new TraceService({
    storage,
    barrier,
    positions,
    partitions,
    log: new LogOffsets(kafka),
    routed: new RoutedMarks(redis),
  });
  const changes = new ChangeService({ storage, barrier, membership, writer, clock, wallClock });
  const { log, directs, firsts } = sends;
  const router = new FrameRouter({
    sends: new SendHandler({
      log,
      membership,
      directs,
      firsts,
      media: media.access,
      writes,
      counts,
      close,
      wallClock,
    }),
    changes: new ChangeHandler({ service: changes, writes, counts }),
    receipts: new ReceiptHandler({
      judge: receipts.judge,
      receipts: receipts.log,
      metrics: metrics.receipts,
      writes,
    }),
    typing: typing.handler,
    syncs: new SyncHandler(syncs, delayed, writes),
    rates,
    writes,
    close,
    failed,
    clock,
    wallClock,
  });
  const needs = { auth, directory, boot, sockets, router, typing: typing.handler, rates, shared };
  const bounded = (reason: string): void => metrics.bounded.inc({ reason });
  return {
    env,
    backends,
    counts,
    shared,
    rates,
    auth,
    directory,
    logs,
    sends,
    sockets,
    boot,
    receipts,
    typing,
    syncs,
    delayed,
    trace,
    upgrades: makeUpgrades(context, needs),
    openCalls: new OpenCallsGuard(bounded),
    refusals: new RefusalPace(bounded),
    announcer: (url: string) => makeAnnouncer(context, directory, sockets, boot, url),
  };
}
