import { DataSource, type DataSourceOptions } from 'typeorm';
import { DeviceEntity } from '../accounts/device.entity';
import { RefreshTokenEntity } from '../accounts/refresh-token.entity';
import { UserEntity } from '../accounts/user.entity';
import { ContactEntity } from '../contacts/contact.entity';
import { ConversationEntity } from '../conversations/conversation.entity';
import { MemberEntity } from '../conversations/member.entity';
import { LogProgressEntity } from '../log/log-progress.entity';
import { MediaEntity, MediaUseEntity } from '../media/media.entity';
import { MessageEntity } from '../messages/message.entity';
import { Initial1763700000000 } from '../migrations/1763700000000-initial';
import { Media1764000005000 } from '../migrations/1764000005000-media';
import { OutboxEntity } from '../outbox/outbox.entity';
import { poolConfig } from './database';

/** Connections of TypeORM's pool: accounts and contacts; the rest uses hand-written SQL. */
const ORM_CONNECTIONS = 5;

/** Options of this service's TypeORM data source; the schema is changed by migrations only. */
export function dataSourceOptions(url: string, name: string): DataSourceOptions {
  const extra = poolConfig({ url, name, connections: ORM_CONNECTIONS });
  return {
    type: 'postgres',
    url,
    poolSize: ORM_CONNECTIONS,
    extra,
    entities: [
      UserEntity,
      DeviceEntity,
      RefreshTokenEntity,
      ContactEntity,
      ConversationEntity,
      MemberEntity,
      MessageEntity,
      OutboxEntity,
      LogProgressEntity,
      MediaEntity,
      MediaUseEntity,
    ],
    migrations: [Initial1763700000000, Media1764000005000],
    migrationsTableName: 'storage_migrations',
    installExtensions: false,
    // An idle connection that the server ends is replaced at its next use.
    poolErrorHandler: () => undefined,
  };
}

/** Connects; rejects when the database does not answer. */
export async function openDataSource(url: string, name: string): Promise<DataSource> {
  return new DataSource(dataSourceOptions(url, name)).initialize();
}
