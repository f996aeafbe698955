import { EVERYONE_ID } from '@tidings/protocol/ids';
import type { Sql } from '../database/database';

/** A conversation whose row does not say what its messages and changes do. */
export interface WrongConversation {
  id: string;
  lastPosition: string;
  lastAt: Date | null;
  createdPosition: string | null;
  /** what the rows of its entries come to */
  rightPosition: string;
  rightAt: Date | null;
  rightCreated: string | null;
}

/** A message and the upload that it shows, or is said to show. */
export interface Use {
  conversationId: string;
  messageId: string;
  mediaId: string;
}

const PAGE = {
  name: 'rebuild-page',
  text: `SELECT id FROM conversations WHERE id > $1 ORDER BY id LIMIT $2`,
};

/**
 * $1 conversations. Positions and times are never lowered: tombstones leave the table after 90 days, so what is
 * there may end below what was.
 */
const WRONG = {
  name: 'rebuild-wrong',
  text: `WITH found AS (
      SELECT c.id, c.last_position, c.last_at, c.created_position,
             GREATEST(c.last_position, m.position, h.position) AS right_position,
             GREATEST(c.last_at, m.at) AS right_at,
             COALESCE(m.first_event, c.created_position) AS right_created
        FROM conversations c
        LEFT JOIN LATERAL (
          SELECT max(x.position) AS position, max(x.sent_at) AS at,
                 min(x.position) FILTER (WHERE x.kind = 'event') AS first_event
            FROM messages x WHERE x.conversation_id = c.id) m ON true
        LEFT JOIN LATERAL (
          SELECT max(x.position) AS position FROM changes x WHERE x.conversation_id = c.id) h ON true
       WHERE c.id = ANY ($1::text[])
    )
    SELECT id, last_position AS "lastPosition", last_at AS "lastAt", created_position AS "createdPosition",
           right_position AS "rightPosition", right_at AS "rightAt", right_created AS "rightCreated"
      FROM found
     WHERE last_position IS DISTINCT FROM right_position OR last_at IS DISTINCT FROM right_at
        OR created_position IS DISTINCT FROM right_created
     ORDER BY id`,
};

/** $1 conversation, $2 position, $3 time, $4 first event: raised, whatever was applied meanwhile. */
const CORRECT = {
  name: 'rebuild-correct',
  text: `UPDATE conversations SET last_position = GREATEST(last_position, $2::int8),
      last_at = GREATEST(last_at, $3::timestamptz), created_position = COALESCE($4::int8, created_position)
    WHERE id = $1`,
};

const SHOWS = `m.kind IN ('image', 'file') AND NOT m.deleted AND m.content IS NOT NULL`;
const SHOWN = `(m.content::json ->> 'mediaId')::uuid`;
const USE = `u.conversation_id AS "conversationId", u.message_id AS "messageId", u.media_id AS "mediaId"`;

/** $1 conversations: messages that show an upload of which it is not known, or known wrongly. */
const MISSING = {
  name: 'rebuild-missing-uses',
  text: `SELECT m.conversation_id AS "conversationId", m.message_id AS "messageId", ${SHOWN} AS "mediaId"
      FROM messages m
      LEFT JOIN media_uses u ON u.conversation_id = m.conversation_id AND u.message_id = m.message_id
     WHERE m.conversation_id = ANY ($1::text[]) AND ${SHOWS} AND u.media_id IS DISTINCT FROM ${SHOWN}
       AND ${SHOWN} IS NOT NULL`,
};

/** $1 conversations: uses of messages that show nothing. */
const SURPLUS = {
  name: 'rebuild-surplus-uses',
  text: `SELECT ${USE} FROM media_uses u
     WHERE u.conversation_id = ANY ($1::text[]) AND NOT EXISTS (
       SELECT 1 FROM messages m WHERE m.conversation_id = u.conversation_id
          AND m.message_id = u.message_id AND ${SHOWS})`,
};

/** $1 conversation, $2 message: locked, so that nobody deletes it before its use is noted. */
const ADD_USE = {
  name: 'rebuild-add-use',
  text: `WITH shown AS (
      SELECT m.conversation_id, m.message_id, ${SHOWN} AS media_id FROM messages m
       WHERE m.conversation_id = $1 AND m.message_id = $2 AND ${SHOWS} FOR SHARE)
    INSERT INTO media_uses (conversation_id, message_id, media_id) SELECT * FROM shown
    ON CONFLICT (conversation_id, message_id) DO UPDATE SET media_id = excluded.media_id`,
};

const REMOVE_USE = {
  name: 'rebuild-remove-use',
  text: `DELETE FROM media_uses u WHERE u.conversation_id = $1 AND u.message_id = $2
      AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = u.conversation_id
        AND m.message_id = u.message_id AND ${SHOWS})`,
};

const USED = `EXISTS (SELECT 1 FROM media_uses u
  WHERE u.conversation_id = d.conversation_id AND u.media_id = d.id)`;
/** Watched though a message shows it, or not watched though none does. */
const MISJUDGED = `NOT d.removing AND (d.keep_until IS NOT NULL) = ${USED}`;

const MISJUDGED_MEDIA = {
  name: 'rebuild-misjudged-media',
  text: `SELECT count(*)::int AS count FROM media d
    WHERE d.conversation_id = ANY ($1::text[]) AND ${MISJUDGED}`,
};

/** $1 conversations: uploads that nothing shows are watched from now on, the others no more. */
const JUDGE_MEDIA = {
  name: 'rebuild-judge-media',
  text: `WITH judged AS (
      UPDATE media d SET keep_until = CASE WHEN ${USED} THEN NULL ELSE now() END
       WHERE d.conversation_id = ANY ($1::text[]) AND ${MISJUDGED} RETURNING 1)
    SELECT count(*)::int AS count FROM judged`,
};

/** $1 conversations. Locked in their order, as everywhere. */
const FORGET_DIGESTS = {
  name: 'rebuild-forget-digests',
  text: `WITH kept AS (SELECT id FROM conversations
       WHERE id = ANY ($1::text[]) AND digest_position IS NOT NULL ORDER BY id FOR NO KEY UPDATE),
    forgotten AS (UPDATE conversations c SET digest_position = NULL FROM kept WHERE c.id = kept.id RETURNING 1)
    SELECT count(*)::int AS count FROM forgotten`,
};

const FORGET_UNREAD = {
  name: 'rebuild-forget-unread',
  text: `WITH kept AS (SELECT conversation_id, user_id FROM members
       WHERE conversation_id = ANY ($1::text[]) AND unread_position IS NOT NULL
       ORDER BY conversation_id, user_id FOR NO KEY UPDATE),
    forgotten AS (UPDATE members m SET unread_position = NULL FROM kept
       WHERE m.conversation_id = kept.conversation_id AND m.user_id = kept.user_id RETURNING 1),
    of_everybody AS (UPDATE everyone_marks SET unread_position = NULL
       WHERE '${EVERYONE_ID}' = ANY ($1::text[]) AND unread_position IS NOT NULL RETURNING 1)
    SELECT ((SELECT count(*) FROM forgotten) + (SELECT count(*) FROM of_everybody))::int AS count`,
};

/** $1 conversations: everything derived of them but what syncs counted, as one text. */
const DERIVED = {
  name: 'rebuild-derived',
  text: `SELECT COALESCE(string_agg(concat_ws(' ', c.id, c.last_position, extract(epoch FROM c.last_at),
        c.created_position, (SELECT string_agg(u.message_id || ' ' || u.media_id, ' ' ORDER BY u.message_id)
          FROM media_uses u WHERE u.conversation_id = c.id)), E'\\n' ORDER BY c.id), '') AS text
      FROM conversations c WHERE c.id = ANY ($1::text[])`,
};

/** What is derived from the rows of messages and changes, page by page of conversations. */
export class DerivedRepository {
  constructor(private readonly database: Sql) {}

  /** Ids behind one, in order. */
  async page(after: string, count: number): Promise<string[]> {
    const rows = await this.database.rows<{ id: string }>(PAGE, [after, count]);
    return rows.map(({ id }) => id);
  }

  wrong(ids: readonly string[]): Promise<WrongConversation[]> {
    return this.database.rows<WrongConversation & Record<string, unknown>>(WRONG, [ids]);
  }

  async correct(one: WrongConversation): Promise<void> {
    const { id, rightPosition, rightAt, rightCreated } = one;
    await this.database.rows(CORRECT, [id, rightPosition, rightAt, rightCreated]);
  }

  missingUses(ids: readonly string[]): Promise<Use[]> {
    return this.database.rows<Use & Record<string, unknown>>(MISSING, [ids]);
  }

  surplusUses(ids: readonly string[]): Promise<Use[]> {
    return this.database.rows<Use & Record<string, unknown>>(SURPLUS, [ids]);
  }

  async addUse({ conversationId, messageId }: Use): Promise<void> {
    await this.database.rows(ADD_USE, [conversationId, messageId]);
  }

  async removeUse({ conversationId, messageId }: Use): Promise<void> {
    await this.database.rows(REMOVE_USE, [conversationId, messageId]);
  }

  misjudgedMedia(ids: readonly string[]): Promise<number> {
    return this.count(MISJUDGED_MEDIA, ids);
  }

  judgeMedia(ids: readonly string[]): Promise<number> {
    return this.count(JUDGE_MEDIA, ids);
  }

  forgetDigests(ids: readonly string[]): Promise<number> {
    return this.count(FORGET_DIGESTS, ids);
  }

  forgetUnread(ids: readonly string[]): Promise<number> {
    return this.count(FORGET_UNREAD, ids);
  }

  async text(ids: readonly string[]): Promise<string> {
    const [row] = await this.database.rows<{ text: string }>(DERIVED, [ids]);
    return row?.text ?? '';
  }

  private async count(
    sql: { name: string; text: string },
    ids: readonly string[],
  ): Promise<number> {
    const [row] = await this.database.rows<{ count: number }>(sql, [ids]);
    return row?.count ?? 0;
  }
}
