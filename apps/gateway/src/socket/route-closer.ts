import { encodeInbox } from '@tidings/common/redis/inbox-codec';
import type { InboxWriter } from '@tidings/common/redis/inbox';
import type { Route } from '@tidings/common/redis/routes';
import type { Logger } from '@tidings/common/runtime/logger';
import type { ConnectionCloser } from './connection-closer';
import type { ConnectionTable } from './connection-table';

export interface RouteCloserParts {
  gatewayId: string;
  /** Whether a boot id is or was this process's. */
  isOwnBoot: (bootId: string) => boolean;
  table: ConnectionTable;
  closer: ConnectionCloser;
  inboxes: Pick<InboxWriter, 'append'>;
  logger: Logger;
}

/** Closes the connection at the end of a route: here, or by an entry in another gateway's inbox. */
export class RouteCloser {
  constructor(private readonly parts: RouteCloserParts) {}

  /** Never throws. An entry that gets lost is made up by that gateway's next renewal. */
  close(route: Route, code: number, reason: string): void {
    const { gatewayId, isOwnBoot, table, closer, inboxes, logger } = this.parts;
    const { connectionId, bootId } = route;
    if (route.gatewayId === gatewayId && isOwnBoot(bootId)) {
      const connection = table.get(connectionId);
      if (connection) closer.close(connection, code, reason);
      return;
    }
    const payload = encodeInbox([{ kind: 'close', connectionId, code, reason }]);
    inboxes.append([{ gatewayId: route.gatewayId, bootId, payload }]).catch((error: unknown) => {
      logger.debug({ err: error }, 'close entry not written');
    });
  }
}
