import { Injectable } from '@nestjs/common';
import { TidingsError } from '@tidings/protocol/errors';
import type { STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { RpcHandlers } from '@tidings/common/rpc/rpc-server';
import { AdminService } from './admin/admin.service';
import { RolesRepository } from './admin/roles.repository';
import { AccountsService } from './accounts/accounts.service';
import { DevicesService } from './accounts/devices.service';
import { PasswordService } from './accounts/password.service';
import { LoginsService } from './accounts/logins.service';
import { UsersService } from './accounts/users.service';
import { BlocksService } from './blocks/blocks.service';
import { BroadcastsService } from './broadcasts/broadcasts.service';
import { ContactsService } from './contacts/contacts.service';
import { ConversationsService } from './conversations/conversations.service';
import { GroupsService } from './conversations/groups.service';
import { asUnavailable } from '@tidings/common/runtime/database-errors';
import { LogService } from './log/log.service';
import { MediaService } from './media/media.service';
import { MessagesService } from './messages/messages.service';
import { PrivacyService } from './privacy/privacy.service';
import { ReceiptsService } from './receipts/receipts.service';
import { SyncService } from './sync/sync.service';
import { TraceService } from './trace/trace.service';

type Handlers = RpcHandlers<typeof STORAGE_RPC>;

/** How long a call may take when it waits for nothing but the database, in milliseconds. */
const PLAIN_MS = 2_200;
/** A change may wait for the one before it, for the database and for the log, 2 s each. */
const CHANGE_MS = 4_500;
/** Calls that wait for something else as well: password hashes, the log, a read barrier. */
const WAITING_MS: Partial<Record<keyof Handlers, number>> = {
  'accounts.register': 9_000,
  'accounts.login': 9_000,
  'accounts.password': 8_000,
  'conversations.direct': 3_000,
  'conversations.group': CHANGE_MS,
  'conversations.change': CHANGE_MS,
  'members.add': CHANGE_MS,
  'members.remove': CHANGE_MS,
  'members.role': CHANGE_MS,
  'broadcasts.create': CHANGE_MS,
  'broadcasts.delete': CHANGE_MS,
  'messages.history': 4_000,
  'messages.first': 4_000,
  'messages.get': 4_000,
  'messages.trace': 4_000,
  'media.get': 4_000,
  sync: 4_500,
};

/** What the calls go to. */
@Injectable()
export class StorageServices {
  constructor(
    readonly accounts: AccountsService,
    readonly logins: LoginsService,
    readonly users: UsersService,
    readonly contacts: ContactsService,
    readonly passwords: PasswordService,
    readonly devices: DevicesService,
    readonly blocks: BlocksService,
    readonly conversations: ConversationsService,
    readonly groups: GroupsService,
    readonly messages: MessagesService,
    readonly receipts: ReceiptsService,
    readonly sync: SyncService,
    readonly log: LogService,
    readonly media: MediaService,
    readonly trace: TraceService,
    readonly admin: AdminService,
    readonly roles: RolesRepository,
    readonly privacy: PrivacyService,
    readonly broadcasts: BroadcastsService,
  ) {}
}

/** The calls that storage answers: each goes to one service, is bounded in time, and says `unavailable` while the database is away. */
export function storageHandlers(services: StorageServices): Handlers {
  const { accounts, logins, users, contacts, conversations, groups } = services;
  const { passwords, devices, blocks, messages, receipts, sync, log, media } = services;
  const { admin, privacy, broadcasts } = services;
  return bounded({
    'accounts.register': (input) => accounts.register(input),
    'accounts.login': (input) => logins.login(input),
    'accounts.refresh': ({ refreshToken, address }) => logins.refresh(refreshToken, address),
    'accounts.confirm': async ({ userId, deviceId, sequence }) => {
      await logins.confirm(userId, deviceId, sequence);
      return {};
    },
    'accounts.logout': async ({ userId, deviceId }) => {
      await logins.logout(userId, deviceId);
      return {};
    },
    'accounts.session': ({ userId, deviceId }) => logins.current(userId, deviceId),
    'accounts.ended': ({ userId, deviceId }) => logins.endOf(userId, deviceId),
    'accounts.alive': async ({ items }) => {
      await logins.alive(items);
      return {};
    },
    'accounts.disabled': async ({ userIds }) => ({
      items: await services.roles.disabledAmong(userIds),
    }),
    'accounts.me': ({ userId }) => accounts.me(userId),
    'accounts.password': (input) => passwords.change(input),
    'devices.list': ({ userId }) => devices.list(userId),
    'devices.remove': (input) => devices.remove(input),
    'accounts.patch': ({ userId, ...body }) => accounts.patch(userId, body),
    'users.get': async ({ ids }) => ({ items: await users.get(ids) }),
    'users.search': (input) => users.search(input),
    'users.byEmail': async ({ email }) => ({ items: await users.byEmail(email) }),
    'contacts.list': ({ userId, cursor, limit }) => contacts.list(userId, cursor, limit),
    'contacts.incoming': ({ userId, cursor, limit }) => contacts.incoming(userId, cursor, limit),
    'contacts.put': ({ userId, contactId }) => contacts.put(userId, contactId),
    'contacts.delete': ({ userId, contactId }) => contacts.delete(userId, contactId),
    'blocks.list': ({ userId, cursor, limit }) => blocks.list(userId, cursor, limit),
    'blocks.put': ({ userId, blockedId }) => blocks.put(userId, blockedId),
    'blocks.delete': ({ userId, blockedId }) => blocks.delete(userId, blockedId),
    'presence.visible': ({ viewerId, userIds }) => privacy.visiblePresence(viewerId, userIds),
    'conversations.direct': ({ userId, otherId }) => conversations.direct(userId, otherId),
    'conversations.group': (input) => groups.create(input),
    'conversations.change': (input) => groups.patch(input),
    'members.list': (input) => groups.members(input),
    'members.add': (input) => groups.add(input),
    'members.remove': async (input) => {
      await groups.remove(input);
      return {};
    },
    'members.role': (input) => groups.role(input),
    'conversations.list': ({ userId, cursor, limit }) => conversations.list(userId, cursor, limit),
    'conversations.get': ({ userId, conversationId }) => conversations.get(userId, conversationId),
    'conversations.routing': (input) => conversations.routing(input.conversations),
    'receipts.list': ({ userId, conversationId, cursor, limit }) =>
      receipts.list(userId, conversationId, cursor, limit),
    'receipts.view': ({ items }) => receipts.view(items),
    'messages.history': (input) => messages.history(input),
    'messages.first': (input) => messages.first(input),
    'messages.get': (input) => messages.get(input),
    'messages.trace': (input) => services.trace.get(input),
    'media.create': (input) => media.create(input),
    'media.get': (input) => media.get(input),
    'media.use': (input) => media.use(input),
    sync: async ({ userId, request, barrier }) => {
      const { bodies, delayed } = await sync.answer(userId, request, barrier);
      return { bodies: bodies.map((text) => [Buffer.from(text)]), delayed };
    },
    'admin.cluster': (input) => admin.cluster(input),
    'admin.roles': (input) => admin.list(input),
    'admin.role': (input) => admin.role(input),
    'admin.disable': (input) => admin.disable(input),
    'admin.enable': (input) => admin.enable(input),
    'admin.end': (input) => admin.end(input),
    'admin.sessions': (input) => admin.showSessions(input),
    'broadcasts.create': (input) => broadcasts.create(input),
    'broadcasts.get': (input) => broadcasts.get(input),
    'broadcasts.delete': (input) => broadcasts.delete(input),
    'log.state': () => log.state(),
  });
}

function bounded(handlers: Handlers): Handlers {
  const names = Object.keys(handlers) as (keyof Handlers)[];
  const entries = names.map((name) => [name, boundedCall(handlers[name], WAITING_MS[name])]);
  return Object.fromEntries(entries) as Handlers;
}

function boundedCall(handler: (input: never) => Promise<unknown>, ms = PLAIN_MS) {
  return async (input: never): Promise<unknown> => {
    try {
      return await limited(handler(input), ms);
    } catch (error) {
      throw asUnavailable(error);
    }
  };
}

/** Settles with the work, or with `unavailable` after `ms`; what it does later is bounded by itself. */
function limited<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_resolve, reject) => {
    const tooLate = (): TidingsError =>
      new TidingsError('unavailable', { detail: 'The answer takes too long' });
    timer = setTimeout(() => reject(tooLate()), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
