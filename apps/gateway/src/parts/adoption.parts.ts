import type { GatewayContext } from '../gateway.context';
import { SpoolAdoption, type Emptying } from '../spool/spool-adoption';
import { SpoolDrain } from '../spool/spool-drain';
import { SpoolStore, type LockedDir } from '../spool/spool-store';
import type { DirectoryParts } from './directory.parts';
import { makeDrainer } from './holding.parts';
import type { LogParts } from './log.parts';
import type { SendParts } from './send.parts';

/** How long records that are out may still be appended when it stops, milliseconds. */
const FLUSH_MS = 1_000;

/** What sends the messages of gateways that are gone; null: they have no volume in common. */
export function makeAdoption(
  context: GatewayContext,
  { listing }: DirectoryParts,
  logs: LogParts,
  { rights }: SendParts,
): SpoolAdoption | null {
  const { spool, env, gatewayId, registry, logger, clock, wallClock } = context;
  if (!spool.root) return null;
  // whoever sent them is told by the gateway to which they have sent them again
  const nobody = { drained: () => undefined, known: () => undefined, refused: () => undefined };
  const drainer = makeDrainer(context, logs.messages, rights, nobody);

  async function empty(place: LockedDir): Promise<Emptying> {
    const store = await SpoolStore.open({
      ...place,
      partitions: env.KAFKA_PARTITIONS,
      maxBytes: env.SPOOL_MAX_BYTES,
      logger,
      found: () => undefined,
      lost: () => undefined,
    });
    const writer = logs.messageWriter((partition) => drain.stalled(partition));
    const drain: SpoolDrain = new SpoolDrain({ writer, store, drainer, logger, wallClock });
    const close = async (): Promise<void> => {
      const stopped = drain.stop();
      await writer.stop({ flushMs: FLUSH_MS });
      await stopped;
      await store.close();
    };
    store.onTaken(() => void drain.stop());
    try {
      await writer.start();
    } catch (error) {
      await close();
      throw error;
    }
    drain.start();
    return {
      get entries() {
        return store.entries;
      },
      ended: drain.ended,
      close,
    };
  }

  return new SpoolAdoption({
    nodeId: gatewayId,
    root: spool.root,
    ownDir: spool.dir,
    live: async () => (await listing.list()).map(({ id }) => id),
    logAnswers: async () => (await logs.barrier.take()) !== null,
    empty,
    metrics: registry,
    logger,
    clock,
  });
}
