import { Injectable } from '@nestjs/common';
import type { MediaFacts, MediaRecord, ReadableMedia } from '@tidings/common/rpc/calls';
import { isAlive, isMember } from '../conversations/conversation-views.sql';
import { isTerm } from '../leader/leaders.repository';
import { Database } from '../database/database';

/** An upload that is noted before its bytes are kept. */
export interface NewMedia extends MediaRecord {
  conversationId: string;
  ownerId: string;
}

/** An upload whose bytes are to be removed, then its row. */
export interface Removal {
  conversationId: string;
  mediaId: string;
}

interface FactsRow {
  kind: 'image' | 'file';
  type: string;
  size: string;
  width: number | null;
  height: number | null;
}

/** $1 user: the row `m` and the membership `p` through which the user may look at it. */
const OF_MEMBER = `FROM media m
  JOIN members p ON p.conversation_id = m.conversation_id AND p.user_id = $1 AND ${isMember('p')}`;
/** $2 medium. Signed URLs need no session: here a disabled account ends. */
const WANTED = `WHERE m.id = $2 AND NOT m.removing
  AND NOT EXISTS (SELECT 1 FROM users v WHERE v.id = $1 AND v.disabled_at IS NOT NULL)`;

/**
 * The living messages that show it, to its uploader and to whoever sees them: whether there are any,
 * and when the last of them ends (null: never).
 */
const SHOWN = `CROSS JOIN LATERAL (SELECT count(*) > 0 AS alive,
    CASE WHEN bool_and(x.expires_at IS NOT NULL) THEN max(x.expires_at) END AS until
  FROM media_uses u JOIN messages x
    ON x.conversation_id = u.conversation_id AND x.message_id = u.message_id
  WHERE u.conversation_id = m.conversation_id AND u.media_id = m.id
    AND (m.owner_id = $1 OR x.position > p.from_position)
    AND NOT x.deleted AND ${isAlive('x', 'now()')}) shown`;

const UNUSED = `NOT EXISTS (SELECT 1 FROM media_uses u
  WHERE u.conversation_id = m.conversation_id AND u.media_id = m.id)`;

/** Uploads and who may read them. */
@Injectable()
export class MediaRepository {
  constructor(private readonly database: Database) {}

  /** Notes an upload that nothing shows yet; doing it again changes nothing. */
  async create(media: NewMedia, keepSeconds: number): Promise<void> {
    const { conversationId, mediaId, ownerId, kind, type, size, width, height, etag } = media;
    await this.database.rows(
      {
        name: 'media-create',
        text: `INSERT INTO media (conversation_id, id, owner_id, kind, type, size, width, height,
                 etag, keep_until)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10 * interval '1 second')
               ON CONFLICT DO NOTHING`,
      },
      [
        conversationId,
        mediaId,
        ownerId,
        kind,
        type,
        size,
        width ?? null,
        height ?? null,
        etag,
        keepSeconds,
      ],
    );
  }

  /** An upload that the user may read now; null otherwise. */
  async readable(userId: string, mediaId: string): Promise<ReadableMedia | null> {
    const [row] = await this.database.rows<FactsRow & { etag: string; until: Date | null }>(
      {
        name: 'media-readable',
        text: `SELECT m.kind, m.type, m.size, m.width, m.height, m.etag, shown.until
               ${OF_MEMBER} ${SHOWN} ${WANTED}
                 AND (shown.alive OR (m.owner_id = $1 AND ${UNUSED}))`,
      },
      [userId, mediaId],
    );
    if (!row) return null;
    const expires = row.until && { expiresAt: row.until.toISOString() };
    return { ...toFacts(row), mediaId, etag: row.etag, ...expires };
  }

  /** The conversation of an upload, to its members only. */
  async conversationOf(userId: string, mediaId: string): Promise<string | null> {
    const [row] = await this.database.rows<{ id: string }>(
      { name: 'media-conversation', text: `SELECT m.conversation_id AS id ${OF_MEMBER} ${WANTED}` },
      [userId, mediaId],
    );
    return row?.id ?? null;
  }

  /** Keeps an own upload for a message on its way; null when there is no such upload. */
  async use(
    wanted: { userId: string; conversationId: string; mediaId: string; kind: string },
    keepSeconds: number,
  ): Promise<MediaFacts | null> {
    const [row] = await this.database.rows<FactsRow>(
      {
        name: 'media-use',
        text: `UPDATE media SET keep_until = now() + $5 * interval '1 second'
               WHERE conversation_id = $1 AND id = $2 AND owner_id = $3 AND kind = $4
                 AND NOT removing
               RETURNING kind, type, size, width, height`,
      },
      [wanted.conversationId, wanted.mediaId, wanted.userId, wanted.kind, keepSeconds],
    );
    return row ? toFacts(row) : null;
  }

  /**
   * Uploads that nothing shows and nobody waits for any more, and those whose removal was begun: from
   * now on nobody reads or sends them. None for a term that is over.
   */
  async beginRemovals(limit: number, term: string): Promise<Removal[]> {
    return this.database.rows<Removal & Record<string, string>>(
      {
        name: 'media-begin-removals',
        text: `WITH over AS (
                 SELECT m.conversation_id, m.id FROM media m
                 WHERE m.keep_until <= now() AND ${UNUSED} AND ${isTerm(2)}
                 ORDER BY m.keep_until LIMIT $1 FOR UPDATE SKIP LOCKED)
               UPDATE media m SET removing = true FROM over
               WHERE m.conversation_id = over.conversation_id AND m.id = over.id
               RETURNING m.conversation_id AS "conversationId", m.id AS "mediaId"`,
      },
      [limit, term],
    );
  }

  /** Forgets an upload whose bytes are gone. */
  async remove({ conversationId, mediaId }: Removal): Promise<void> {
    await this.database.rows(
      {
        name: 'media-remove',
        text: 'DELETE FROM media WHERE conversation_id = $1 AND id = $2 AND removing',
      },
      [conversationId, mediaId],
    );
  }

  /** Uploads that messages show need no watching, also when a send of them came to nothing. */
  async unwatchShown(limit: number): Promise<void> {
    await this.database.rows(
      {
        name: 'media-unwatch-shown',
        text: `UPDATE media SET keep_until = NULL WHERE (conversation_id, id) IN (
                 SELECT m.conversation_id, m.id FROM media m
                 WHERE m.keep_until <= now() AND NOT m.removing AND NOT ${UNUSED}
                 LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      },
      [limit],
    );
  }
}

function toFacts(row: FactsRow): MediaFacts {
  const { kind, type, size, width, height } = row;
  return {
    kind,
    type,
    size: Number(size),
    ...(width !== null && height !== null && { width, height }),
  };
}
