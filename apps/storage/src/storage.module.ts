import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { LogWriter } from '@tidings/common/kafka/writer/log-writer';
import { AccountNews } from '@tidings/common/redis/account-news';
import { MemberCache } from '@tidings/common/redis/members';
import type { Logger } from '@tidings/common/runtime/logger';
import { SecurityLog } from '@tidings/common/runtime/security-log';
import { DataSource } from 'typeorm';
import { SocketEnds } from '@tidings/common/redis/socket-ends';
import { AdminService } from './admin/admin.service';
import { LeadersRepository } from './leader/leaders.repository';
import { AuditRepository } from './admin/audit.repository';
import { RolesRepository } from './admin/roles.repository';
import { AccountsRepository } from './accounts/accounts.repository';
import { AccountsService } from './accounts/accounts.service';
import { DevicesRepository } from './accounts/devices.repository';
import { DevicesService } from './accounts/devices.service';
import { LoginFailures } from './accounts/login-failures';
import { PasswordGuesses } from './accounts/password-guesses';
import { PasswordHasher } from './accounts/password-hasher';
import { PasswordService } from './accounts/password.service';
import { LoginAnnouncer } from './accounts/login-announcer';
import { LoginsRepository } from './accounts/logins.repository';
import { LoginRule, LoginsService } from './accounts/logins.service';
import { UserEntity } from './accounts/user.entity';
import { UsersService } from './accounts/users.service';
import { BlocksRepository } from './blocks/blocks.repository';
import { BlocksService } from './blocks/blocks.service';
import { BroadcastsRepository } from './broadcasts/broadcasts.repository';
import { BroadcastSettings, BroadcastsService } from './broadcasts/broadcasts.service';
import { ContactEntity } from './contacts/contact.entity';
import { ContactsRepository } from './contacts/contacts.repository';
import { ContactsService } from './contacts/contacts.service';
import { ConversationsRepository } from './conversations/conversations.repository';
import { ConversationsService } from './conversations/conversations.service';
import { GroupsRepository } from './conversations/groups.repository';
import { GroupsService } from './conversations/groups.service';
import { Database } from './database/database';
import { dataSourceOptions } from './data-source';
import { LogConsumer } from './messages/messages.consumer';
import { DeadLetterWatch } from './log/dead-letter-watch';
import { LogService } from './log/log.service';
import { LogState } from './log/log-state';
import { Progress } from './log/progress';
import { MediaRepository } from './media/media.repository';
import { MediaService, MediaSettings } from './media/media.service';
import { BatchWriter } from './messages/batch-writer';
import { MessagesRepository } from './messages/messages.repository';
import { MessagesService } from './messages/messages.service';
import { OutboxRepository } from './outbox/outbox.repository';
import { OutboxService } from './outbox/outbox.service';
import { PrivacyRepository } from './privacy/privacy.repository';
import { PrivacyService } from './privacy/privacy.service';
import { ReceiptsRepository } from './receipts/receipts.repository';
import { ReceiptsService } from './receipts/receipts.service';
import { StorageServices } from './storage.rpc';
import { StateKeeper } from './sync/state-keeper';
import { SyncRepository } from './sync/sync.repository';
import { SyncService } from './sync/sync.service';
import { TraceRepository } from './trace/trace.repository';
import { TraceService } from './trace/trace.service';

/** What the process has started before the module: everything with a connection. */
export interface StorageParts {
  dataSource: DataSource;
  database: Database;
  outbox: OutboxRepository;
  log: LogState;
  progress: Progress;
  logWriter: LogWriter;
  batchWriter: BatchWriter;
  memberCache: MemberCache;
  announcer: LoginAnnouncer;
  sockets: SocketEnds;
  policy: LoginRule;
  hasher: PasswordHasher;
  guesses: PasswordGuesses;
  news: AccountNews;
  logger: Logger;
  security: SecurityLog;
  media: MediaSettings;
  broadcasts: BroadcastSettings;
  keeper: StateKeeper;
  deadLetters: DeadLetterWatch;
}

/** The storage service's own parts around those that hold connections. */
@Module({})
export class StorageModule {
  static around(parts: StorageParts): DynamicModule {
    return {
      module: StorageModule,
      imports: [
        TypeOrmModule.forRootAsync({
          useFactory: () => dataSourceOptions('', ''),
          dataSourceFactory: () => Promise.resolve(parts.dataSource),
        }),
        TypeOrmModule.forFeature([UserEntity, ContactEntity]),
      ],
      controllers: [LogConsumer],
      providers: [
        { provide: Database, useValue: parts.database },
        { provide: OutboxRepository, useValue: parts.outbox },
        { provide: LogState, useValue: parts.log },
        { provide: Progress, useValue: parts.progress },
        { provide: LogWriter, useValue: parts.logWriter },
        { provide: BatchWriter, useValue: parts.batchWriter },
        { provide: MemberCache, useValue: parts.memberCache },
        { provide: LoginAnnouncer, useValue: parts.announcer },
        { provide: LoginRule, useValue: parts.policy },
        { provide: SocketEnds, useValue: parts.sockets },
        { provide: PasswordHasher, useValue: parts.hasher },
        { provide: PasswordGuesses, useValue: parts.guesses },
        {
          provide: LoginFailures,
          useFactory: (devices: DevicesRepository) =>
            new LoginFailures(devices, parts.news, parts.logger),
          inject: [DevicesRepository],
        },
        { provide: SecurityLog, useValue: parts.security },
        { provide: MediaSettings, useValue: parts.media },
        { provide: BroadcastSettings, useValue: parts.broadcasts },
        { provide: StateKeeper, useValue: parts.keeper },
        { provide: DeadLetterWatch, useValue: parts.deadLetters },
        AccountsRepository,
        RolesRepository,
        AuditRepository,
        LeadersRepository,
        AdminService,
        AccountsService,
        LoginsRepository,
        LoginsService,
        UsersService,
        PasswordService,
        DevicesRepository,
        DevicesService,
        BlocksRepository,
        BlocksService,
        BroadcastsRepository,
        BroadcastsService,
        ContactsRepository,
        ContactsService,
        ConversationsRepository,
        ConversationsService,
        MessagesRepository,
        MessagesService,
        OutboxService,
        SyncRepository,
        SyncService,
        GroupsRepository,
        GroupsService,
        ReceiptsRepository,
        ReceiptsService,
        MediaRepository,
        MediaService,
        PrivacyRepository,
        PrivacyService,
        LogService,
        StorageServices,
        TraceRepository,
        TraceService,
      ],
    };
  }
}
