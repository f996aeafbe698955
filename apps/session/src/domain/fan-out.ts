import type { Push } from './draft';
import { encodeConflict, encodePending } from './frames';
import { authorOf, endOf, type ChangeEntry, type LogEntry, type MessageEntry } from './entry';

/** Where a device is connected. */
export interface Address {
  deviceId: string;
  gatewayId: string;
  bootId: string;
  connectionId: string;
}

/** A frame for connections of one gateway. */
export interface Parcel {
  connections: string[];
  /** JSON text, the same string for every gateway. */
  frame: string;
  /** The record of the log that it is for; absent: it is for none. */
  entry?: LogEntry;
  /** It goes to all connections, which are not listed. */
  toAll?: true;
  /** It tells of this user's presence: only for who may see that. */
  presenceOf?: string;
  /** When what it shows is over, Unix milliseconds; absent: never. */
  untilMs?: number;
}

/** What one gateway (of one boot) is handed, in log order. */
export interface Box {
  gatewayId: string;
  bootId: string;
  parcels: Parcel[];
}

/** The gateways that have sockets, by the boot of their inboxes. */
export type Gateways = readonly Pick<Box, 'gatewayId' | 'bootId'>[];

/** The routes of a user, as they were looked up for this batch. */
export type RoutesOf = (userId: string) => readonly Address[];

/** A dropped record whose id stands for another one. */
export type Conflict = MessageEntry | ChangeEntry;

/** The users whose routes a batch needs, each once. */
export function usersOf(pushes: readonly Push[], conflicts: readonly Conflict[]): string[] {
  const users = new Set<string>();
  for (const { userIds } of pushes) for (const userId of userIds) users.add(userId);
  for (const entry of conflicts) users.add(authorOf(entry));
  return [...users];
}

/**
 * Sorts a batch by gateway: every push to every device of its users, in log order; behind a message
 * to a direct receiver without any route a `pending` to the sender's devices. What is for all goes to each of
 * the gateways once.
 */
export function fanOut(
  pushes: readonly Push[],
  conflicts: readonly Conflict[],
  routesOf: RoutesOf,
  setAside: SetEntryAside,
  gateways: Gateways = [],
): Box[] {
  const boxes = new Boxes();
  for (const push of pushes) {
    contained(push.entry, setAside, () => {
      if (push.toAll) return boxes.addToAll(gateways, push);
      const { frame, entry } = push;
      const about = { entry, untilMs: endOf(entry) };
      for (const userId of push.userIds) boxes.addAll(routesOf(userId), frame, about);
      if (push.receiver !== null && routesOf(push.receiver).length === 0) {
        addPending(boxes, push, push.receiver, routesOf);
      }
    });
  }
  for (const entry of conflicts) {
    contained(entry, setAside, () => {
      const { deviceId } = entry.event;
      const device = routesOf(authorOf(entry)).filter((route) => route.deviceId === deviceId);
      if (device.length > 0) boxes.addAll(device, encodeConflict(entry), { entry });
    });
  }
  return boxes.list();
}

/** Told of a record that a step threw over. */
export type SetEntryAside = (entry: LogEntry, error: unknown) => void;

/** Whatever a record's turn throws costs that record: a device that is not told sees a gap. */
function contained(entry: LogEntry, setAside: SetEntryAside, turn: () => void): void {
  try {
    turn();
  } catch (error) {
    setAside(entry, error);
  }
}

/**
 * The `pending` frames that the appends themselves brought to light: the direct receiver has routes,
 * but no gateway that they name has an inbox.
 */
export function fanOutUnreached(
  pushes: readonly Push[],
  gone: readonly Box[],
  routesOf: RoutesOf,
  setAside: SetEntryAside,
): Box[] {
  const boxes = new Boxes();
  const names = new Set(gone.map(nameOf));
  for (const push of pushes) {
    const { entry, receiver } = push;
    if (receiver === null) continue;
    const routes = routesOf(receiver);
    if (routes.length === 0 || !routes.every((route) => names.has(nameOf(route)))) continue;
    contained(entry, setAside, () => addPending(boxes, push, receiver, routesOf));
  }
  return boxes.list();
}

/** What is for all, to gateways that came while it was handed on: their sockets came from others. */
export function fanOutToAll(pushes: readonly Push[], gateways: Gateways): Box[] {
  const boxes = new Boxes();
  for (const push of pushes) if (push.toAll) boxes.addToAll(gateways, push);
  return boxes.list();
}

/** A frame for the devices of users, all but one of them. */
export interface Notice {
  /** JSON text. */
  frame: string;
  userIds: readonly string[];
  exceptDevice: string | null;
}

/** Sorts notices by gateway, in their order. */
export function fanOutNotices(notices: readonly Notice[], routesOf: RoutesOf): Box[] {
  const boxes = new Boxes();
  for (const { frame, userIds, exceptDevice } of notices) {
    for (const userId of userIds) {
      const routes = routesOf(userId).filter(({ deviceId }) => deviceId !== exceptDevice);
      boxes.addAll(routes, frame);
    }
  }
  return boxes.list();
}

/**
 * Cuts a box into entries of about `limit` characters, never inside a frame; a frame above the limit
 * is an entry of its own.
 */
export function split(box: Box, limit: number): Box[] {
  const parts: Box[] = [];
  let parcels: Parcel[] = [];
  let size = 0;
  for (const parcel of box.parcels) {
    const more = parcel.frame.length + parcel.connections.length * CONNECTION_CHARS;
    if (parcels.length > 0 && size + more > limit) {
      parts.push({ ...box, parcels });
      parcels = [];
      size = 0;
    }
    parcels.push(parcel);
    size += more;
  }
  if (parcels.length > 0) parts.push({ ...box, parcels });
  return parts;
}

/** About what a connection id takes in an entry. */
const CONNECTION_CHARS = 40;

function addPending(boxes: Boxes, { entry }: Push, receiver: string, routesOf: RoutesOf): void {
  if (entry.kind !== 'message') return;
  const sender = routesOf(entry.event.senderId);
  if (sender.length === 0) return;
  const about = { entry, presenceOf: receiver };
  boxes.addAll(sender, encodePending(entry, [receiver]), about);
}

function nameOf({ gatewayId, bootId }: { gatewayId: string; bootId: string }): string {
  return `${gatewayId} ${bootId}`;
}

class Boxes {
  private readonly boxes = new Map<string, Box>();

  addAll(
    routes: readonly Address[],
    frame: string,
    about: Pick<Parcel, 'entry' | 'presenceOf' | 'untilMs'> = {},
  ): void {
    for (const route of routes) {
      const { parcels } = this.box(route);
      const last = parcels[parcels.length - 1];
      if (last?.frame === frame) last.connections.push(route.connectionId);
      else parcels.push({ connections: [route.connectionId], frame, ...about });
    }
  }

  addToAll(gateways: Gateways, { frame, entry }: Push): void {
    for (const gateway of gateways) {
      this.box(gateway).parcels.push({ connections: [], toAll: true, frame, entry });
    }
  }

  list(): Box[] {
    return [...this.boxes.values()];
  }

  private box({ gatewayId, bootId }: Gateways[number]): Box {
    const name = nameOf({ gatewayId, bootId });
    let box = this.boxes.get(name);
    if (!box) {
      box = { gatewayId, bootId, parcels: [] };
      this.boxes.set(name, box);
    }
    return box;
  }
}
