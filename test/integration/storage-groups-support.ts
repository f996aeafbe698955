import type { RpcInput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import { eventually } from '../support/eventually';
import { newUser, type RunningStorage, StorageFixture, type TestUser } from './storage-support';

/** The machine is shared: an answer may take longer than a client would wait. */
export const PATIENT = { timeoutMs: 20_000 };

type Rpc = typeof STORAGE_RPC;

let requests = 0;

/** Servers, two instances of storage, and four users. */
export async function startForGroups() {
  const fixture = await StorageFixture.start();
  const [one, two] = await Promise.all([
    fixture.storage('storage-1'),
    fixture.storage('storage-2'),
  ]);
  const [ann, bob, carol, dave] = (await Promise.all(
    ['ann', 'bob', 'carol', 'dave'].map((name) => newUser(one.rpc, name)),
  )) as [TestUser, TestUser, TestUser, TestUser];
  return { fixture, one, two, ann, bob, carol, dave };
}

/** Asks an instance for a group; the request id is a new one unless `extra` has it. */
export function create(
  storage: RunningStorage,
  founder: TestUser,
  others: readonly TestUser[],
  extra: Partial<RpcInput<Rpc, 'conversations.group'>> = {},
) {
  return storage.rpc.call(
    'conversations.group',
    {
      userId: founder.id,
      requestId: `r${requests++}`,
      title: 'A group',
      userIds: others.map((o) => o.id),
      ...extra,
    },
    PATIENT,
  );
}

/** Makes a group; its id. */
export async function newGroup(
  storage: RunningStorage,
  founder: TestUser,
  ...others: TestUser[]
): Promise<string> {
  return (await create(storage, founder, others)).conversation.id;
}

/** Changes title or lifetime of a group. */
export function change(
  storage: RunningStorage,
  user: TestUser,
  conversationId: string,
  patch: object,
) {
  return storage.rpc.call(
    'conversations.change',
    { userId: user.id, conversationId, ...patch },
    PATIENT,
  );
}

/** Adds members to a group. */
export function add(
  storage: RunningStorage,
  user: TestUser,
  conversationId: string,
  memberIds: string[],
) {
  return storage.rpc.call('members.add', { userId: user.id, conversationId, memberIds }, PATIENT);
}

/** Removes a member from a group. */
export function remove(
  storage: RunningStorage,
  user: TestUser,
  conversationId: string,
  member: TestUser,
) {
  return storage.rpc.call(
    'members.remove',
    { userId: user.id, conversationId, memberId: member.id },
    PATIENT,
  );
}

/** Makes a member an admin. */
export function setRole(
  storage: RunningStorage,
  user: TestUser,
  conversationId: string,
  member: TestUser,
  role: 'admin',
) {
  return storage.rpc.call(
    'members.role',
    { userId: user.id, conversationId, memberId: member.id, role },
    PATIENT,
  );
}

/** A row of `members`. */
export interface MemberRow {
  user_id: string;
  role: string;
  from_position: string | null;
  until_position: string | null;
  pending: boolean;
}

/** All rows of a group's members, also of former ones, by user. */
export async function memberRows(
  fixture: StorageFixture,
  conversationId: string,
): Promise<Map<string, MemberRow>> {
  const found = await fixture.rows<MemberRow>('SELECT * FROM members WHERE conversation_id = $1', [
    conversationId,
  ]);
  return new Map(found.map((row) => [row.user_id, row]));
}

/** An event with its position. */
export type Entry = Record<string, unknown> & { position: string };

/** The events of a conversation once storage has applied all of it, oldest first. */
export function eventsOf(
  fixture: StorageFixture,
  conversationId: string,
  count: number,
): Promise<Entry[]> {
  return eventually(async () => {
    const found = await fixture.rows<{ position: string; content: string }>(
      `SELECT position, content FROM messages WHERE conversation_id = $1 AND kind = 'event'
       ORDER BY position`,
      [conversationId],
    );
    const open = await fixture.rows('SELECT 1 FROM outbox WHERE conversation_id = $1', [
      conversationId,
    ]);
    expect([found.length, open.length]).toEqual([count, 0]);
    return found.map(({ position, content }) => ({
      position,
      ...(JSON.parse(content) as { event: Record<string, unknown> }).event,
    }));
  });
}
