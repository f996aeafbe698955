import type { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import type { Logger } from '@tidings/common/runtime/logger';
import { dataDir, type GatewayEnv } from '../gateway.env';
import type { MessageLog } from '../send/message-log';
import type { ReadBarrier } from '../sync/read-barrier';
import { DrainJudge, type DrainJudgeParts } from '../spool/drain-judge';
import { Drainer, type DrainerParts } from '../spool/drainer';
import { HeldMessages } from '../send/held-messages';
import { HoldingWriter } from '../spool/holding-writer';
import { lockDataDir } from '../spool/spool-place';
import { SpoolRoot } from '../spool/spool-root';
import { SpoolStore } from '../spool/spool-store';
import { spooledMessage } from '../spool/spooled-message';

/** One sender may have this part of all bytes, so that an account that floods leaves room for others. */
export const SENDER_SHARE = 1 / 32;

/** What a node holds on its disk, and the ids of it. */
export interface Spool {
  store: SpoolStore;
  held: HeldMessages;
  /** Where it lies. */
  dir: string;
  /** Where the spools of all gateways are; null: each has its own disk. */
  root: SpoolRoot | null;
}

/**
 * Takes this node's spool and reads what an earlier run left. Throws when it cannot be used. `taken`: told
 * when another process has taken it, because this one was hung.
 */
export async function openSpool(
  env: GatewayEnv,
  logger: Logger,
  taken: () => void,
): Promise<Spool> {
  const held = new HeldMessages(env.SPOOL_MAX_BYTES * SENDER_SHARE);
  const { SPOOL_ROOT, NODE_ID } = env;
  const root = SPOOL_ROOT ? new SpoolRoot(SPOOL_ROOT, NODE_ID, dataDir(env)) : null;
  const place = root ? await root.own() : await lockDataDir(dataDir(env));
  const store = await SpoolStore.open({
    ...place,
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
  store.onTaken(taken);
  return { store, held, dir: place.dir, root };
}

/** Who may send what was held, and what of it is known. */
export type HeldRights = Pick<DrainJudgeParts, 'membership' | 'firsts' | 'disabled'> & {
  barrier: Pick<ReadBarrier, 'take'>;
};

/** Judges what was held once more before it goes to the log. */
export function makeDrainer(
  { logger, wallClock }: { logger: Logger; wallClock: () => number },
  writer: Pick<LogWriter, 'partitionOf'>,
  rights: HeldRights,
  answers: DrainerParts['answers'],
): Drainer {
  const logEnd = async (conversationId: string): Promise<bigint | null> => {
    const ends = await rights.barrier.take();
    const end = ends?.[writer.partitionOf(conversationId)];
    return end == null ? null : BigInt(end);
  };
  const judge = new DrainJudge({ ...rights, wallClock, logEnd });
  return new Drainer({ judge, answers, logger });
}

/** The writer that holds sends while the log is away. `log`: who tells the senders. */
export function makeHolding(
  context: { spool: Spool; logger: Logger; clock: () => number; wallClock: () => number },
  writer: LogWriter,
  rights: HeldRights,
  log: () => MessageLog,
): HoldingWriter {
  const { spool, logger, clock, wallClock } = context;
  const drainer = makeDrainer(context, writer, rights, {
    drained: (appended) => log().drained(appended),
    known: (message, first) => log().notDrained(message, first),
    refused: (message, error) => log().notDrained(message, error),
  });
  return new HoldingWriter({ writer, store: spool.store, drainer, logger, clock, wallClock });
}
