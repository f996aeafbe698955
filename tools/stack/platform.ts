import { StackError } from './paths';

/** What the downloads are called on one operating system and processor. */
export interface Platform {
  /** suffix of the PostgreSQL artifact */
  postgres: string;
  /** end of the redis-server file's name inside its package */
  redis: string;
}

/**
 * Names of the downloads for this machine.
 * @throws StackError where there are none.
 */
export function platformOf(os: string = process.platform, cpu: string = process.arch): Platform {
  const amd64 = cpu === 'x64';
  if ((os === 'linux' || os === 'darwin') && (amd64 || cpu === 'arm64')) {
    return {
      postgres: `${os}-${amd64 ? 'amd64' : 'arm64v8'}`,
      redis: `${os}-${amd64 ? 'amd64' : 'arm64'}`,
    };
  }
  throw new StackError(
    `There are no servers to download for ${os} on ${cpu}: start Kafka, Redis and PostgreSQL yourself (docker-compose.yml) ` +
      'and set KAFKA_BROKERS, REDIS_URL and DATABASE_URL.',
  );
}
