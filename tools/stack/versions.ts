import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError, projectRoot } from './paths';

/** Versions of the servers as they name themselves: `4.3.0`, `6.2.11`, `18.4`. */
export interface ServerVersions {
  kafka: string;
  redis: string;
  postgres: string;
}

/** What `pom.xml` says: the servers, and the packages in which they come. */
export interface PomVersions {
  servers: ServerVersions;
  packages: ServerVersions;
}

/** Reads the version properties of a `pom.xml` text. Throws when one is missing. */
export function parseVersions(pom: string): PomVersions {
  const property = (name: string): string => {
    const value = new RegExp(`<${name}\\.version>([^<]+)</${name}\\.version>`).exec(pom)?.[1];
    if (value === undefined) throw new StackError(`tools/stack/pom.xml has no ${name}.version.`);
    return value.trim();
  };
  const kafka = property('kafka');
  const postgres = property('postgres');
  return {
    servers: { kafka, redis: property('redis'), postgres: firstTwo(postgres) },
    packages: { kafka, redis: property('embedded-redis'), postgres },
  };
}

/** The versions this checkout runs, from `pom.xml`, the one place that names them. */
export function pomVersions(): PomVersions {
  return parseVersions(readFileSync(join(projectRoot(), 'tools', 'stack', 'pom.xml'), 'utf8'));
}

/** One line naming the versions: written to `VERSION` of a data directory. */
export function versionLine(versions: ServerVersions): string {
  return `kafka ${versions.kafka}, redis ${versions.redis}, postgres ${versions.postgres}`;
}

/**
 * Binds a data directory to the server versions that wrote it. Data of older servers is taken along: Kafka
 * and Redis read what earlier releases wrote, PostgreSQL what another release of its major version did.
 * @throws StackError when these servers cannot read it.
 */
export function checkDataVersion(dir: string, versions: ServerVersions): void {
  const file = join(dir, 'VERSION');
  const wanted = versionLine(versions);
  const found = existsSync(file) ? readFileSync(file, 'utf8').trim() : wanted;
  const why = unreadable(found, versions);
  if (why !== undefined) {
    throw new StackError(
      `The data in ${dir} was written by ${found}; this checkout runs ${wanted}. ${why}: ` +
        'go on with the checkout that wrote it, or run `npm run reset` to remove the data and start afresh.',
    );
  }
  mkdirSync(dir, { recursive: true });
  writeFileSync(file, `${wanted}\n`);
}

/** Why servers of these versions cannot read the data of those in a line; undefined: they can. */
function unreadable(line: string, versions: ServerVersions): string | undefined {
  const found = /^kafka (\d[\d.]*), redis (\d[\d.]*), postgres (\d[\d.]*)$/.exec(line);
  if (!found) return 'What wrote it is not known';
  const [, kafka = '', redis = '', postgres = ''] = found;
  if (parseInt(postgres) !== parseInt(versions.postgres))
    return 'PostgreSQL reads data of its own major version only';
  if (isNewer(kafka, versions.kafka)) return 'An older Kafka does not read data of a newer one';
  // of patch releases the format is the same
  if (isNewer(firstTwo(redis), firstTwo(versions.redis)))
    return 'An older Redis does not read data of a newer one';
  return undefined;
}

function firstTwo(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/** Whether the dotted number `a` comes after `b`. */
function isNewer(a: string, b: string): boolean {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < Math.max(left!.length, right!.length); i++) {
    const difference = (left![i] ?? 0) - (right![i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
