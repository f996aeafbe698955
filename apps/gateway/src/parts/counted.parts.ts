import type { Gateway } from '../gateway';
import type { Counted } from '../gateway.metrics';
import type { Spool } from './holding.parts';

/** What of a gateway is counted, wherever it lies. */
export function countedOf(gateway: Gateway, spool: Spool): Counted {
  const { sockets, auth, directory, logs, sends, counts } = gateway;
  const { table, delivery, presence } = sockets;
  return {
    table,
    delivery,
    presence,
    news: directory.news,
    visibility: directory.visibility,
    hashCalls: auth.hashCalls,
    sends: counts,
    queued: (): number => logs.messages.queued(),
    spool: { store: spool.store, holding: sends.holding },
    media: sends.media,
  };
}
