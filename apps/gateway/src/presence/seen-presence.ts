import type { Presence } from '@tidings/protocol/http';
import type { PresenceClient } from '../service-clients';
import type { PresenceSight } from './presence-sight';

/** What is known of a user, and whether the one who asked may see it. */
export interface Sighting {
  presence: Presence;
  visible: boolean;
}

/** Presence as a viewer may see it: the one answer behind `GET /v1/presence` and `watch`. */
export class SeenPresence {
  constructor(
    private readonly presence: Pick<PresenceClient, 'call'>,
    private readonly sight: Pick<PresenceSight, 'visible'>,
  ) {}

  /** The presence of users, aligned. Throws `unavailable`, also when nobody can tell who may see whom. */
  async get(viewerId: string, userIds: readonly string[]): Promise<Sighting[]> {
    const ids = [...userIds];
    const [visible, { items }] = await Promise.all([
      this.sight.visible(viewerId, ids),
      this.presence.call('presence.get', { viewerId, userIds: ids }),
    ]);
    return items.map((presence) => ({ presence, visible: visible.has(presence.userId) }));
  }
}

/** What the viewer is shown. Hidden, blocked and unknown users look alike: away, and never seen. */
export function shownOf({ presence, visible }: Sighting): Presence {
  if (visible) return presence;
  const { userId, version } = presence;
  return { userId, status: 'offline', lastSeenAt: null, activeAt: null, version };
}
