import { encodeInbox } from '@tidings/common/redis/inbox-codec';
import type { AppendResult, InboxWriter } from '@tidings/common/redis/inbox';
import type { Route, Routes } from '@tidings/common/redis/routes';
import type { Push } from '../domain/draft';
import {
  fanOut,
  fanOutLetters,
  fanOutUnreached,
  split,
  usersOf,
  type Box,
  type Conflict,
  type Letter,
  type RoutesOf,
  type SetEntryAside,
} from '../domain/fan-out';

/** About how large one inbox entry becomes, in characters. */
const ENTRY_CHARS = 256 * 1024;

/** What handing on one batch came to. */
export interface Delivery {
  results: AppendResult[];
  /** Frames times devices in the entries that were taken. */
  pushes: number;
}

const NOBODY: readonly Route[] = [];

/**
 * Hands pushes to the gateways' inboxes: looks up the routes of all recipients once, never cached,
 * and appends in log order.
 */
export class Deliveries {
  constructor(
    private readonly routes: Pick<Routes, 'lookup'>,
    private readonly inboxes: Pick<InboxWriter, 'append'>,
  ) {}

  /**
   * Resolves when every reachable gateway has the batch in its inbox. Throws `RedisUnavailable`:
   * then the whole batch is to be handed on again, which clients merge.
   */
  async deliver(
    pushes: readonly Push[],
    conflicts: readonly Conflict[],
    setAside: SetEntryAside,
  ): Promise<Delivery> {
    const routesOf = await this.lookup(usersOf(pushes, conflicts));
    const first = await this.append(fanOut(pushes, conflicts, routesOf, setAside));
    if (first.gone.length === 0) return first;
    const unreached = fanOutUnreached(pushes, first.gone, routesOf, setAside);
    const second = await this.append(unreached);
    return {
      results: [...first.results, ...second.results],
      pushes: first.pushes + second.pushes,
    };
  }

  /** Hands letters to the inboxes of their users' gateways. Throws `RedisUnavailable`. */
  async handOut(letters: readonly Letter[]): Promise<Delivery> {
    const users = new Set(letters.flatMap((letter) => letter.userIds));
    return this.append(fanOutLetters(letters, await this.lookup([...users])));
  }

  private async lookup(userIds: readonly string[]): Promise<RoutesOf> {
    const found = await this.routes.lookup(userIds);
    const byUser = new Map(userIds.map((userId, i) => [userId, found[i]!]));
    return (userId) => byUser.get(userId) ?? NOBODY;
  }

  private async append(boxes: readonly Box[]): Promise<Delivery & { gone: Box[] }> {
    const parts = boxes.flatMap((box) => split(box, ENTRY_CHARS));
    if (parts.length === 0) return { results: [], pushes: 0, gone: [] };
    const results = await this.inboxes.append(
      parts.map(({ gatewayId, bootId, parcels }) => ({
        gatewayId,
        bootId,
        payload: encodeInbox(parcels.map((parcel) => ({ kind: 'push', ...parcel }))),
      })),
    );
    const taken = parts.filter((_, i) => results[i] === 'ok');
    return {
      results,
      pushes: devicesIn(taken),
      gone: parts.filter((_, i) => results[i] === 'gone'),
    };
  }
}

function devicesIn(boxes: readonly Box[]): number {
  let devices = 0;
  for (const { parcels } of boxes) {
    for (const { connections } of parcels) devices += connections.length;
  }
  return devices;
}
