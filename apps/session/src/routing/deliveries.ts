import { encodeInbox, type InboxItem } from '@tidings/common/redis/inbox-codec';
import type { AppendResult, InboxEntry, InboxWriter } from '@tidings/common/redis/inbox';
import type { Route, Routes } from '@tidings/common/redis/routes';
import type { Push } from '../domain/draft';
import type { EveryGateway } from './every-gateway';
import {
  fanOut,
  fanOutNotices,
  fanOutToAll,
  fanOutUnreached,
  split,
  usersOf,
  type Box,
  type Conflict,
  type Gateways,
  type Notice,
  type Parcel,
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
const NOWHERE: Gateways = [];

/**
 * Hands pushes to the gateways' inboxes: looks up the routes of all recipients once, never cached,
 * and appends in log order.
 */
export class Deliveries {
  constructor(
    private readonly routes: Pick<Routes, 'lookup'>,
    private readonly inboxes: Pick<InboxWriter, 'append'>,
    /** Who has sockets, asked anew each time that something is for all of them. */
    private readonly everyGateway: Pick<EveryGateway, 'list'>,
    /** A frame that belongs to no record could not be encoded. */
    private readonly failed: (error: unknown) => void,
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
    const toAll = pushes.some((push) => push.toAll);
    const [routesOf, gateways] = await Promise.all([
      this.lookup(usersOf(pushes, conflicts)),
      toAll ? this.everyGateway.list() : NOWHERE,
    ]);
    const boxes = fanOut(pushes, conflicts, routesOf, setAside, gateways);
    const first = await this.append(boxes, setAside);
    if (first.gone.length === 0) return first;
    const second = await this.append(
      [
        ...fanOutUnreached(pushes, first.gone, routesOf, setAside),
        ...(toAll ? fanOutToAll(pushes, await this.others(gateways)) : []),
      ],
      setAside,
    );
    return {
      results: [...first.results, ...second.results],
      pushes: first.pushes + second.pushes,
    };
  }

  /** Hands notices to the inboxes of their users' gateways. Throws `RedisUnavailable`. */
  async handOut(notices: readonly Notice[]): Promise<Delivery> {
    const users = new Set(notices.flatMap((notice) => notice.userIds));
    const boxes = fanOutNotices(notices, await this.lookup([...users]));
    return this.append(boxes, (_entry, error) => this.failed(error));
  }

  /** Gateways, or boots of them, that were not among these. */
  private async others(known: Gateways): Promise<Gateways> {
    const boots = new Set(known.map(({ bootId }) => bootId));
    return (await this.everyGateway.list()).filter(({ bootId }) => !boots.has(bootId));
  }

  private async lookup(userIds: readonly string[]): Promise<RoutesOf> {
    const found = await this.routes.lookup(userIds);
    const byUser = new Map(userIds.map((userId, i) => [userId, found[i]!]));
    return (userId) => byUser.get(userId) ?? NOBODY;
  }

  private async append(
    boxes: readonly Box[],
    setAside: SetEntryAside,
  ): Promise<Delivery & { gone: Box[] }> {
    const parts: Box[] = [];
    const entries: InboxEntry[] = [];
    for (const part of boxes.flatMap((box) => split(box, ENTRY_CHARS))) {
      const payload = this.encode(part, setAside);
      if (payload === '') continue;
      parts.push(part);
      entries.push({ gatewayId: part.gatewayId, bootId: part.bootId, payload });
    }
    if (parts.length === 0) return { results: [], pushes: 0, gone: [] };
    const results = await this.inboxes.append(entries);
    const taken = parts.filter((_, i) => results[i] === 'ok');
    return {
      results,
      pushes: devicesIn(taken),
      gone: parts.filter((_, i) => results[i] === 'gone'),
    };
  }

  /** What cannot be encoded costs its record; its receivers see a gap and sync. */
  private encode({ parcels }: Box, setAside: SetEntryAside): string {
    return encodeInbox(parcels.flatMap(itemsOf), ({ entry }, error) => {
      if (entry) setAside(entry, error);
      else this.failed(error);
    });
  }
}

type Item = InboxItem & Pick<Parcel, 'entry'>;

/** What a gateway is to do for a parcel: a change of a conversation is known before it is shown. */
function itemsOf({ connections, frame, entry, presenceOf, untilMs, toAll }: Parcel): Item[] {
  if (toAll) return [{ kind: 'all', position: String(entry!.position), frame, entry }];
  if (presenceOf !== undefined) {
    return [{ kind: 'tells', of: presenceOf, connections, frame, entry }];
  }
  const push = { kind: 'push' as const, connections, frame, entry, untilMs };
  if (entry?.kind !== 'conversation') return [push];
  return [{ kind: 'changed', conversationId: entry.event.conversationId, entry }, push];
}

function devicesIn(boxes: readonly Box[]): number {
  let devices = 0;
  for (const { parcels } of boxes) {
    for (const { connections } of parcels) devices += connections.length;
  }
  return devices;
}
