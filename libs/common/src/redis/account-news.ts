import type { AccountPart } from '@tidings/protocol/frames';
import type { Logger } from '../runtime/logger';
import type { InboxEntry, InboxWriter } from './inbox';
import { encodeInbox } from './inbox-codec';
import type { Route, Routes } from './routes';

/** The most look-ups and appends in progress; further news are dropped. */
const MAX_OUT = 1_000;

/**
 * Tells a user's connected devices, wherever they are, which parts of the account to fetch again.
 * Lossy: a device fetches what it shows after every new connection anyway.
 */
export class AccountNews {
  /** News that were dropped because too many were in progress; a plain count. */
  dropped = 0;
  private out = 0;

  constructor(
    private readonly parts: {
      routes: Pick<Routes, 'lookup'>;
      inboxes: Pick<InboxWriter, 'append'>;
      logger: Pick<Logger, 'debug'>;
    },
  ) {}

  /** Tells all devices except `except`, in the background. Never throws. */
  tell(userId: string, changed: readonly AccountPart[], except?: string): void {
    if (this.out >= MAX_OUT) {
      this.dropped += 1;
      return;
    }
    this.out += 1;
    this.send(userId, JSON.stringify({ type: 'account', changed }), except)
      .catch((error: unknown) => this.parts.logger.debug({ err: error }, 'account news not sent'))
      .finally(() => (this.out -= 1));
  }

  private async send(userId: string, frame: string, except: string | undefined): Promise<void> {
    const [routes] = await this.parts.routes.lookup([userId]);
    const others = (routes ?? []).filter((route) => route.deviceId !== except);
    if (others.length > 0) await this.parts.inboxes.append(entries(others, frame));
  }
}

/** One entry per inbox. */
function entries(routes: readonly Route[], frame: string): InboxEntry[] {
  const boxes = new Map<string, Route[]>();
  for (const route of routes) {
    const box = `${route.gatewayId}|${route.bootId}`;
    boxes.set(box, [...(boxes.get(box) ?? []), route]);
  }
  return [...boxes.values()].map((group) => {
    const connections = group.map((route) => route.connectionId);
    const { gatewayId, bootId } = group[0]!;
    return { gatewayId, bootId, payload: encodeInbox([{ kind: 'push', connections, frame }]) };
  });
}
