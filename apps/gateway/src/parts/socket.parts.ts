import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import type { ErrorCode } from '@tidings/protocol/errors';
import { InboxDelivery } from '../deliver/inbox-delivery';
import { PresenceEvents } from '../socket/presence-events';
import type { Watches } from '../presence/watches';
import type { DirectoryParts } from './directory.parts';
import type { GatewayContext } from '../gateway.context';
import type { LogParts } from './log.parts';
import { PresenceGate } from '../presence/presence-gate';
import { PresenceSight } from '../presence/presence-sight';
import type { SendParts } from './send.parts';
import type { Connection } from '../socket/connection';
import { ConnectionCloser } from '../socket/connection-closer';
import { ConnectionTable } from '../socket/connection-table';
import { Drain } from '../socket/drain';
import { Heartbeat } from '../socket/heartbeat';
import { WriteQueue } from '../socket/write-queue';

/** Refusals of frames that are counted like a call's answer of 500 or more. */
const BLAMES_US: ReadonlySet<ErrorCode> = new Set(['internal', 'unavailable']);

export type SocketParts = ReturnType<typeof makeSockets>;

/** The sockets' table, writer and closer, and what reaches them from elsewhere. */
export function makeSockets(
  context: GatewayContext,
  { routes }: DirectoryParts,
  logs: LogParts,
  { membership }: SendParts,
  watches: () => Watches,
) {
  const { gatewayId, metrics, wallClock, env, clock, defects, answers, backends, lanes } = context;
  const table = new ConnectionTable();
  const presence = new PresenceEvents({ gatewayId, writer: logs.presence, clock, wallClock });
  const closer = new ConnectionCloser({ gatewayId, table, routes, presence });
  const close = (connection: Connection, code: number, reason: string): void => {
    if (connection.ended) return;
    metrics.closed.inc({ code });
    closer.close(connection, code, reason);
  };
  /** Something threw over this connection: it costs this connection, and nothing else. */
  const failed = (connection: Connection, error: unknown): void => {
    const { id, userId } = connection;
    defects.note('frame', error, { connectionId: id, userId });
    try {
      close(connection, CLOSE_CODES.internalError, 'internal error');
    } catch {
      connection.raw.destroy();
    }
  };
  const writes = new WriteQueue({
    overflow: (connection, code) => close(connection, code, 'too slow'),
    refused: (type, error) => {
      // `busy` and `spool_full` tell of a bound, which has a figure of its own
      if (!BLAMES_US.has(error.code)) return;
      answers.noteOften({ method: 'WS', route: type }, error);
    },
  });
  const gate = new PresenceGate({
    sight: new PresenceSight(backends.storage),
    keptBack: (why) => metrics.presenceKeptBack.inc({ why }),
    clock,
  });
  const delivery = new InboxDelivery({
    table,
    writes,
    close,
    failed,
    mayShow: (viewerId, userId) => gate.opens(viewerId, userId),
    conversationChanged: (conversationId) => membership.changed(conversationId),
    wallClock,
    watches: {
      changed: (presence) => watches().changed(presence),
      judgeAgain: (userId) => watches().judgeAgain(userId),
    },
    lanes,
    metrics: metrics.lanes,
  });
  const heartbeat = new Heartbeat(env.HEARTBEAT_SECONDS * 1000, clock, {
    close: (connection, code) => close(connection, code, 'no sign of life'),
    failed,
  });
  const drain = new Drain({
    table,
    writes,
    close,
    random: Math.random,
    drainMs: env.DRAIN_SECONDS * 1000,
  });
  return { table, presence, closer, close, failed, writes, delivery, heartbeat, drain };
}
