import type { Presence } from '@tidings/protocol/http';
import { shownOf, type Sighting } from './seen-presence';

/** A user on a list, and what its socket was told of them. */
export class Watched {
  /** Whether the viewer may see them; null: not judged yet. */
  private visible: boolean | null = null;
  /** The next look is told whatever it says: the list was asked about. */
  private asked = true;
  private version = -1;
  private said = '';

  /** Has the next look told. */
  ask(): void {
    this.asked = true;
  }

  /** What the socket is to be told of a change; null: nothing. */
  changed(presence: Presence): Presence | null {
    if (this.visible !== true || this.asked || presence.version <= this.version) return null;
    return this.tell(presence);
  }

  /**
   * What the socket is to be told of a look; null: nothing. What the viewer may see has the last word,
   * whatever was told while it was being judged: its version is raised above that.
   */
  looked(sighting: Sighting): Presence | null {
    const turned = sighting.visible !== this.visible;
    this.visible = sighting.visible;
    const shown = shownOf(sighting);
    if (shown.version > this.version) return this.tell(shown);
    return turned || this.asked ? this.tell({ ...shown, version: this.version + 1 }) : null;
  }

  private tell(shown: Presence): Presence | null {
    const said = wordOf(shown);
    const isNews = this.asked || said !== this.said;
    this.asked = false;
    this.version = shown.version;
    this.said = said;
    return isNews ? shown : null;
  }
}

/** What a client shows of a presence. While somebody is there, their times say nothing. */
function wordOf({ status, lastSeenAt, activeAt }: Presence): string {
  switch (status) {
    case 'online':
      return status;
    case 'away':
      return `${status} ${activeAt}`;
    case 'offline':
      return `${status} ${lastSeenAt}`;
  }
}

/** Whom one socket watches. */
export class WatchList {
  readonly users = new Map<string, Watched>();
  /** Those who have to be looked at. */
  readonly toLook = new Set<string>();
  /** They are being looked at; whoever is put in meanwhile is looked at behind that. */
  looking = false;

  /** Puts these in the place of the old ones; who is new and who is gone. */
  replace(userIds: readonly string[]): { added: string[]; removed: string[] } {
    const wanted = new Set(userIds);
    const removed = [...this.users.keys()].filter((userId) => !wanted.has(userId));
    for (const userId of removed) {
      this.users.delete(userId);
      this.toLook.delete(userId);
    }
    const added: string[] = [];
    for (const userId of wanted) {
      const known = this.users.get(userId);
      if (known) known.ask();
      else {
        this.users.set(userId, new Watched());
        added.push(userId);
      }
      this.toLook.add(userId);
    }
    return { added, removed };
  }

  /** Has all users looked at again. */
  lookAtAll(): void {
    for (const userId of this.users.keys()) this.toLook.add(userId);
  }
}
