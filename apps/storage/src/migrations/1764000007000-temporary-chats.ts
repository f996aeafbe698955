import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Temporary chats: an expired message becomes a tombstone (ids, position, version, sender, times; no
 * content, extras and hash). Tombstones have no place in the index by position: what a reader skips is not read
 * either, however many there are. An expired message that is applied late never has content.
 */
export class TemporaryChats1764000007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const INDEXES = [
  // What is left to be shown; unique: two entries never share a position.
  `CREATE UNIQUE INDEX messages_position ON messages (conversation_id, position)
    WHERE content IS NOT NULL OR deleted`,
  // What is to become a tombstone, by time.
  `CREATE INDEX messages_expiring ON messages (expires_at)
    WHERE expires_at IS NOT NULL AND content IS NOT NULL`,
  // Tombstones: of a conversation (digests of a moment that has passed), and by their age.
  `CREATE INDEX messages_tombstones ON messages (conversation_id, expires_at)
    WHERE expires_at IS NOT NULL AND content IS NULL AND NOT deleted`,
  `CREATE INDEX messages_expired ON messages (expires_at)
    WHERE expires_at IS NOT NULL AND content IS NULL`,
];

const UP = ['ALTER TABLE messages DROP CONSTRAINT messages_position', ...INDEXES];

const DOWN = [
  'DROP INDEX messages_position, messages_expiring, messages_tombstones, messages_expired',
  'ALTER TABLE messages ADD CONSTRAINT messages_position UNIQUE (conversation_id, position)',
];
