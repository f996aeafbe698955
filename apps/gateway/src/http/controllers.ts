import { AuthController } from './auth.controller';
import { BlocksController } from './blocks.controller';
import { BroadcastsController } from './broadcasts.controller';
import { ConnectionsController } from './connections.controller';
import { ContactsController } from './contacts.controller';
import { ConversationsController } from './conversations.controller';
import { DevicesController } from './devices.controller';
import { MeController } from './me.controller';
import { MediaController } from './media.controller';
import { MembersController } from './members.controller';
import { MessagesController } from './messages.controller';
import { PasswordController } from './password.controller';
import { PresenceController } from './presence.controller';
import { ReceiptsController } from './receipts.controller';
import { ServiceController } from './service.controller';
import { SyncController } from './sync.controller';
import { TraceController } from './trace.controller';
import { UsersController } from './users.controller';

/** Who answers the calls of the protocol. */
export const CONTROLLERS = [
  ServiceController,
  UsersController,
  AuthController,
  MeController,
  PasswordController,
  DevicesController,
  ContactsController,
  BlocksController,
  ConnectionsController,
  BroadcastsController,
  ConversationsController,
  MembersController,
  MessagesController,
  TraceController,
  MediaController,
  ReceiptsController,
  SyncController,
  PresenceController,
] as const;
