import { DataSource, type DataSourceOptions } from 'typeorm';
import { UserEntity } from './accounts/user.entity';
import { ContactEntity } from './contacts/contact.entity';
import { Initial1763700000000 } from './migrations/1763700000000-initial';
import { Groups1764000001000 } from './migrations/1764000001000-groups';
import { Privacy1764000002000 } from './migrations/1764000002000-privacy';
import { Changes1764000003000 } from './migrations/1764000003000-changes';
import { Blocks1764000004000 } from './migrations/1764000004000-blocks';
import { Media1764000005000 } from './migrations/1764000005000-media';
import { SharedBatches1764000006000 } from './migrations/1764000006000-shared-batches';
import { TemporaryChats1764000007000 } from './migrations/1764000007000-temporary-chats';
import { KeptState1764000008000 } from './migrations/1764000008000-kept-state';
import { Trace1764000009000 } from './migrations/1764000009000-trace';
import { FailedLogins1764000010000 } from './migrations/1764000010000-failed-logins';
import { NoSamples1764000011000 } from './migrations/1764000011000-no-samples';
import { Roles1764000012000 } from './migrations/1764000012000-roles';
import { Leaders1764000013000 } from './migrations/1764000013000-leaders';
import { Broadcasts1764000014000 } from './migrations/1764000014000-broadcasts';
import { poolConfig } from './database/database';

/** Connections of TypeORM's pool: accounts and contacts; the rest uses hand-written SQL (decision 0033). */
const ORM_CONNECTIONS = 5;

/** Options of this service's TypeORM data source; the schema is changed by migrations only. */
export function dataSourceOptions(url: string, name: string): DataSourceOptions {
  const extra = poolConfig({ url, name, connections: ORM_CONNECTIONS });
  return {
    type: 'postgres',
    url,
    poolSize: ORM_CONNECTIONS,
    extra,
    entities: [UserEntity, ContactEntity],
    migrations: [
      Initial1763700000000,
      Groups1764000001000,
      Privacy1764000002000,
      Changes1764000003000,
      Blocks1764000004000,
      Media1764000005000,
      SharedBatches1764000006000,
      TemporaryChats1764000007000,
      KeptState1764000008000,
      Trace1764000009000,
      FailedLogins1764000010000,
      NoSamples1764000011000,
      Roles1764000012000,
      Leaders1764000013000,
      Broadcasts1764000014000,
    ],
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
