import { ChangeHandler } from '../change/change.handler';
import { ChangeService } from '../change/change.service';
import type { GatewayContext } from '../gateway.context';
import type { PresenceParts } from '../presence/presence.parts';
import type { UserRates } from '../rates/user-rates';
import { ReceiptHandler } from '../receipts/receipt.handler';
import { SendHandler } from '../send/send.handler';
import { FrameRouter } from '../socket/frame-router';
import type { DelayedSyncs } from '../sync/delayed-syncs';
import { EveryoneBarrier } from '../sync/everyone-barrier';
import { SyncHandler } from '../sync/sync.handler';
import type { SyncService } from '../sync/sync.service';
import type { TypingParts } from '../typing/typing.parts';
import type { LogParts } from './log.parts';
import type { ReceiptParts } from './receipts.parts';
import type { SendParts } from './send.parts';
import type { SocketParts } from './socket.parts';

/** What frames need of the other themes. */
interface FrameNeeds {
  rates: UserRates;
  logs: LogParts;
  sends: SendParts;
  sockets: SocketParts;
  receipts: ReceiptParts;
  typing: TypingParts;
  presence: PresenceParts;
  syncs: SyncService;
  delayed: DelayedSyncs;
}

/** Who handles which frame of a client: a new frame's handler is made here. */
export function makeFrames(context: GatewayContext, needs: FrameNeeds): FrameRouter {
  const { backends, counts, metrics, lanes, clock, wallClock } = context;
  const { rates, logs, sends, sockets, receipts, typing, presence, syncs, delayed } = needs;
  const { storage } = backends;
  const { barrier, messages: writer } = logs;
  const { log, directs, firsts, membership, media } = sends;
  const { writes, close, failed } = sockets;
  const changes = new ChangeService({ storage, barrier, membership, writer, clock, wallClock });
  return new FrameRouter({
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
    activity: presence.activity,
    watches: presence.watches,
    syncs: new SyncHandler(syncs, delayed, writes, {
      barrier: new EveryoneBarrier(context.positions, context.env.KAFKA_PARTITIONS),
      delivery: sockets.delivery.everyone,
    }),
    rates,
    lanes,
    writes,
    close,
    failed,
    clock,
    wallClock,
  });
}
