import { LogOffsets } from '@tidings/common/kafka/offsets/log-offsets';
import { RoutedMarks } from '@tidings/common/redis/routed-marks';
import { makeAdoption } from './parts/adoption.parts';
import { makeAuth } from './parts/auth.parts';
import { makeAnnouncer, makeBoot } from './parts/boot.parts';
import { makeDirectory } from './parts/directory.parts';
import { makeFrames } from './parts/frames.parts';
import type { GatewayContext } from './gateway.context';
import { SignsOfLife } from './auth/signs-of-life';
import { OpenCallsGuard } from './http/open-calls.guard';
import { RefusalPace } from './http/refusal-pace';
import { SharedAddresses } from './rates/shared-addresses';
import { PresenceParts } from './presence/presence.parts';
import { makeAdmission, makeAddressWindows, makeRates } from './parts/rates.parts';
import { makeLanes } from './parts/lanes.parts';
import { makeReceipts } from './parts/receipts.parts';
import { makeLogs } from './parts/log.parts';
import { makeSends, type SendParts } from './parts/send.parts';
import { makeSockets } from './parts/socket.parts';
import { makeUpgrades } from './parts/upgrade.parts';
import { DelayedSyncs } from './sync/delayed-syncs';
import { SyncService } from './sync/sync.service';
import { TraceService } from './trace/trace.service';
import { TypingParts } from './typing/typing.parts';

export type Gateway = ReturnType<typeof makeGateway>;

/** What is given; the rest of the context is made here. */
export type GatewayOptions = Omit<GatewayContext, 'gatewayId' | 'clock' | 'wallClock' | 'lanes'>;

/** Puts a gateway together, theme by theme; nothing is started. */
export function makeGateway(options: GatewayOptions) {
  const { env, backends, positions, metrics, counts, logger } = options;
  const clock = (): number => performance.now();
  const wallClock = (): number => Date.now() + env.TEST_CLOCK_OFFSET_MS;
  const made = { ...options, clock, wallClock, gatewayId: env.NODE_ID };
  const lanes = makeLanes(made, () => ({ logs, boot, sockets }));
  const context: GatewayContext = { ...made, lanes };
  const { kafka, redis, storage } = backends;
  const partitions = env.KAFKA_PARTITIONS;

  const shared = new SharedAddresses(env.SHARED_ADDRESSES);
  const rates = makeRates(context);
  const admission = makeAdmission(context);
  const windows = makeAddressWindows(context);
  const auth = makeAuth(context);
  const directory = makeDirectory(context, auth);
  const logs = makeLogs(context, (partition) => sends.holding.stalled(partition));
  const sends: SendParts = makeSends(context, rates, logs, shared);
  const sockets = makeSockets(context, directory, logs, sends, () => presence.watches);
  const boot = makeBoot(context, auth, directory, sockets, (stale) => presence.announce(stale));
  const connections = () => sockets.table.all();
  const signs =
    env.LOGIN_POLICY === 'single-reject'
      ? new SignsOfLife({ connections, storage, logger, clock })
      : null;
  const receipts = makeReceipts(context, logs, sends);
  const { writes, failed } = sockets;
  const typing = new TypingParts(context, sends.membership);
  const presence: PresenceParts = new PresenceParts({
    gatewayId: env.NODE_ID,
    bootId: () => boot.boot.bootId,
    redis,
    presence: backends.presence,
    storage,
    events: sockets.presence,
    writes,
    metrics: metrics.presence,
    lanes,
    laneMetrics: metrics.lanes,
    logger,
    clock,
  });
  const { barrier } = logs;
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
  const router = makeFrames(context, {
    rates,
    logs,
    sends,
    sockets,
    receipts,
    typing,
    presence,
    syncs,
    delayed,
  });
  const announcer = makeAnnouncer(context, directory, sockets, boot, admission);
  const adoption = makeAdoption(context, directory, logs, sends);
  const needs = {
    auth,
    directory,
    boot,
    sockets,
    router,
    typing: typing.handler,
    presence,
    rates,
    shared,
    admission,
    windows,
    announcer,
  };
  const bounded = (reason: string): void => metrics.bounded.inc({ reason });
  return {
    env,
    backends,
    counts,
    shared,
    lanes,
    rates,
    admission,
    windows,
    signs,
    auth,
    directory,
    logs,
    sends,
    sockets,
    boot,
    receipts,
    typing,
    presence,
    syncs,
    delayed,
    trace,
    upgrades: makeUpgrades(context, needs),
    openCalls: new OpenCallsGuard(bounded),
    refusals: new RefusalPace(bounded),
    announcer,
    adoption,
  };
}
