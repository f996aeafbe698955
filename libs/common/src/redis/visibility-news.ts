import type { Logger } from '../runtime/logger';
import type { InboxWriter } from './inbox';
import { encodeInbox } from './inbox-codec';
import type { Routes } from './routes';
import type { GatewayBoot, Watchers } from './watchers';

/** The most look-ups and appends in progress; further news are dropped. */
const MAX_OUT = 1_000;

/**
 * Makes gateways judge again who may see whom: those with sockets that watch a user, and those that
 * the user is connected to. Lossy: gateways re-check all lists from time to time.
 */
export class VisibilityNews {
  /** News that were dropped because too many were in progress; a plain count. */
  dropped = 0;
  private out = 0;

  constructor(
    private readonly parts: {
      routes: Pick<Routes, 'lookup'>;
      watchers: Pick<Watchers, 'of'>;
      inboxes: Pick<InboxWriter, 'append'>;
      logger: Pick<Logger, 'debug'>;
    },
  ) {}

  /** Privacy, contacts or blocks of a user have changed. Works in the background; never throws. */
  changed(userId: string): void {
    if (this.out >= MAX_OUT) {
      this.dropped += 1;
      return;
    }
    this.out += 1;
    this.send(userId)
      .catch((error: unknown) =>
        this.parts.logger.debug({ err: error }, 'visibility news not sent'),
      )
      .finally(() => (this.out -= 1));
  }

  private async send(userId: string): Promise<void> {
    const { routes, watchers, inboxes } = this.parts;
    const [[own], [watching]] = await Promise.all([routes.lookup([userId]), watchers.of([userId])]);
    const boots = new Map<string, GatewayBoot>();
    for (const { gatewayId, bootId } of [...(own ?? []), ...(watching ?? [])]) {
      boots.set(`${gatewayId}|${bootId}`, { gatewayId, bootId });
    }
    if (boots.size === 0) return;
    const payload = encodeInbox([{ kind: 'judge', userId }]);
    await inboxes.append([...boots.values()].map((boot) => ({ ...boot, payload })));
  }
}
