import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many hash partitions `messages` has; a conversation always lies in one. */
const MESSAGE_PARTITIONS = 16;

/**
 * The first schema. Hand-written where TypeORM has no words for it: hash partitions, byte-order
 * collations (ids and keys are compared as bytes, never as language).
 */
export class Initial1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [...ACCOUNTS, ...CONVERSATIONS, ...MESSAGES, ...LOG]) {
      await runner.query(statement);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [
      'outbox',
      'log_progress',
      'messages',
      'members',
      'conversations',
      'contacts',
      'refresh_tokens',
      'devices',
      'users',
    ]) {
      await runner.query(`DROP TABLE ${table}`);
    }
    await runner.query('DROP SEQUENCE session_generations');
  }
}

const ACCOUNTS = [
  `CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL,
    username_key text COLLATE "C" NOT NULL CONSTRAINT users_username_key UNIQUE,
    email text NOT NULL,
    email_key text COLLATE "C" NOT NULL CONSTRAINT users_email_key UNIQUE,
    first_name text NOT NULL,
    last_name text,
    password_hash text NOT NULL,
    login_generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  // Generations never repeat, so a device's row can be removed and its id come back. 1 is kept for
  // seeded users.
  `CREATE SEQUENCE session_generations AS bigint START WITH 2 CACHE 1`,
  `CREATE TABLE devices (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text,
    session_generation bigint NOT NULL,
    refresh_sequence integer NOT NULL,
    confirmed_sequence integer NOT NULL,
    logged_in boolean NOT NULL,
    last_seen timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `CREATE INDEX devices_user ON devices (user_id)`,
  `CREATE TABLE refresh_tokens (
    hash bytea PRIMARY KEY,
    device_id uuid NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    session_generation bigint NOT NULL,
    sequence integer NOT NULL,
    expires_at timestamptz NOT NULL
  )`,
  `CREATE INDEX refresh_tokens_device ON refresh_tokens (device_id, sequence)`,
  `CREATE TABLE contacts (
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    contact_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, contact_id)
  )`,
  `CREATE INDEX contacts_incoming ON contacts (contact_id, user_id)`,
];

const CONVERSATIONS = [
  // Room in every page and no index on what a batch changes: its updates stay in the page (HOT).
  `CREATE TABLE conversations (
    id text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('direct', 'group', 'everyone')),
    title text,
    created_at timestamptz NOT NULL,
    created_by uuid NOT NULL,
    request_id text,
    direct_key text COLLATE "C" CONSTRAINT conversations_direct_key UNIQUE,
    version integer NOT NULL,
    partition smallint NOT NULL,
    created_position bigint,
    last_position bigint NOT NULL DEFAULT 0,
    last_at timestamptz NOT NULL,
    message_ttl_seconds integer
  ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX conversations_request ON conversations (created_by, request_id)
    WHERE request_id IS NOT NULL`,
  // from_position null: a pending addition; pending with from_position: a pending removal.
  `CREATE TABLE members (
    conversation_id text COLLATE "C" NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    from_position bigint,
    until_position bigint,
    pending boolean NOT NULL DEFAULT false,
    delivered bigint NOT NULL DEFAULT 0,
    read bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (conversation_id, user_id)
  ) WITH (fillfactor = 80)`,
  `CREATE INDEX members_user ON members (user_id, conversation_id)`,
];

const MESSAGES = [
  `CREATE TABLE messages (
    conversation_id text COLLATE "C" NOT NULL,
    message_id uuid NOT NULL,
    position bigint NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    sender_id uuid NOT NULL,
    sent_at timestamptz NOT NULL,
    expires_at timestamptz,
    kind text COLLATE "C" NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    content_hash text COLLATE "C",
    content text,
    PRIMARY KEY (conversation_id, message_id),
    CONSTRAINT messages_position UNIQUE (conversation_id, position)
  ) PARTITION BY HASH (conversation_id)`,
  ...Array.from(
    { length: MESSAGE_PARTITIONS },
    (_, i) =>
      `CREATE TABLE messages_${String(i).padStart(2, '0')} PARTITION OF messages
        FOR VALUES WITH (MODULUS ${MESSAGE_PARTITIONS}, REMAINDER ${i})`,
  ),
  `CREATE INDEX messages_changed ON messages (conversation_id, version) WHERE version > 0`,
];

const LOG = [
  `CREATE TABLE log_progress (
    topic text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    epoch integer NOT NULL,
    epoch_base bigint NOT NULL,
    next bigint NOT NULL,
    PRIMARY KEY (topic, partition)
  ) WITH (fillfactor = 10)`,
  `CREATE TABLE outbox (
    message_id uuid PRIMARY KEY,
    conversation_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    event text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    CONSTRAINT outbox_version UNIQUE (conversation_id, version)
  )`,
  `CREATE INDEX outbox_due ON outbox (due_at)`,
];
