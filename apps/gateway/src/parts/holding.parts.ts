import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Logger } from '@tidings/common/runtime/logger';
import { dataDir, type GatewayEnv } from '../gateway.env';
import type { MessageLog } from '../send/message-log';
import type { ReadBarrier } from '../sync/read-barrier';
import { DrainJudge, type DrainJudgeParts } from '../spool/drain-judge';
import { Drainer } from '../spool/drainer';
import { HeldMessages } from '../spool/held-messages';
import { HoldingWriter } from '../spool/holding-writer';
import { SpoolStore } from '../spool/spool-store';
import { spooledMessage } from '../spool/spooled-message';

/** One sender may have this part of all bytes, so that an account that floods leaves room for others. */
export const SENDER_SHARE = 1 / 32;

/** What a node holds on its disk, and the ids of it. */
export interface Spool {
  store: SpoolStore;
  held: HeldMessages;
}

/** Takes this node's spool and reads what an earlier run left. Throws when it cannot be used. */
export async function openSpool(env: GatewayEnv, logger: Logger): Promise<Spool> {
  const held = new HeldMessages(env.SPOOL_MAX_BYTES * SENDER_SHARE);
  const store = await SpoolStore.open({
    dataDir: dataDir(env),
    partitions: env.KAFKA_PARTITIONS,
    maxBytes: env.SPOOL_MAX_BYTES,
    logger,
    found: (partition, sequence, record) => {
      const message = spooledMessage(record);
      if (!message) return;
      const { conversationId, messageId, senderId, contentHash } = message;
      const bytes = Buffer.byteLength(record.value);
      const found = { senderId, contentHash, partition, sequence, bytes, waiters: null };
      held.add(conversationId, messageId, found);
    },
    lost: (partition, from, to) => held.lost(partition, from, to),
  });
  return { store, held };
}

/** The writer that holds sends while the log is away. `log`: who tells the senders. */
export function makeHolding(
  context: { spool: Spool; logger: Logger; clock: () => number; wallClock: () => number },
  writer: LogWriter,
  rights: Pick<DrainJudgeParts, 'membership' | 'firsts'> & { barrier: Pick<ReadBarrier, 'take'> },
  log: () => MessageLog,
): HoldingWriter {
  const { spool, logger, clock, wallClock } = context;
  const logEnd = async (conversationId: string): Promise<bigint | null> => {
    const ends = await rights.barrier.take();
    const end = ends?.[writer.partitionOf(conversationId)];
    return end == null ? null : BigInt(end);
  };
  const drainer = new Drainer({
    judge: new DrainJudge({ ...rights, wallClock, logEnd }),
    answers: {
      drained: (appended) => log().drained(appended),
      known: (message, first) => log().notDrained(message, first),
      refused: (message, error) => log().notDrained(message, error),
    },
    logger,
  });
  return new HoldingWriter({ writer, store: spool.store, drainer, logger, clock, wallClock });
}
