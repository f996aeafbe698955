import { DeviceLogins } from '@tidings/common/redis/logins';
import { MemberCache } from '@tidings/common/redis/members';
import type { GatewayContext } from '../gateway.context';
import { MediaParts } from '../media/media.parts';
import type { SharedAddresses } from '../rates/shared-addresses';
import type { UserRates } from '../rates/user-rates';
import { makeHolding, type HeldRights } from './holding.parts';
import type { DrainJudgeParts } from '../spool/drain-judge';
import { DisabledSenders } from '../spool/disabled-senders';
import { DirectConversations } from '../send/direct-conversations';
import { FirstAppends } from '../send/first-appends';
import type { LogParts } from './log.parts';
import { SEND_QUEUE } from './log.parts';
import { Membership } from '../members/membership';
import { MessageLog } from '../send/message-log';
import { QueueShares } from '../send/queue-shares';

/** What one sender may have of the queue: a whole burst of the largest messages fits. */
export const SEND_SHARE = 1 / 8;

export type SendParts = ReturnType<typeof makeSends>;

/** The way of a message into the log. */
export function makeSends(
  context: GatewayContext,
  rates: UserRates,
  { messages, barrier }: LogParts,
  shared: SharedAddresses,
) {
  const { env, backends, positions, metrics, logger, clock, wallClock, spool, defects } = context;
  const { storage, redis } = backends;
  const firsts = new FirstAppends(storage, clock);
  const membership = new Membership(new MemberCache(redis), storage, clock);
  const disabledSenders = new DisabledSenders(storage, new DeviceLogins(redis));
  const disabled: DrainJudgeParts['disabled'] = (senders) => disabledSenders.among(senders);
  const rights: HeldRights = { membership, firsts, barrier, disabled };
  const holding = makeHolding(context, messages, rights, () => log);
  const log: MessageLog = new MessageLog({
    writer: holding,
    held: spool.held,
    shares: new QueueShares({
      records: SEND_QUEUE.queueRecords * SEND_SHARE,
      bytes: SEND_QUEUE.queueBytes * SEND_SHARE,
    }),
    positions,
    firsts,
    clock,
    wallClock,
    failed: (error) => defects.note('answer', error),
  });
  const media = new MediaParts({
    env,
    shared,
    rates,
    membership,
    storage,
    wallClock,
    logger,
    barrier,
    count: (outcome) => metrics.uploads.inc({ outcome }),
  });
  const directs = new DirectConversations(storage, membership, rates);
  return { firsts, membership, directs, rights, log, holding, media };
}
