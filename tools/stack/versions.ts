import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StackError, projectRoot } from './paths';

/** Versions of the servers, read from `pom.xml`, the one place that names them. */
export interface ServerVersions {
  kafka: string;
  /** of the package that carries redis-server, not of redis-server itself */
  redis: string;
  postgres: string;
}

/** Reads the version properties of a `pom.xml` text. Throws when one is missing. */
export function parseVersions(pom: string): ServerVersions {
  const property = (name: string): string => {
    const value = new RegExp(`<${name}\\.version>([^<]+)</${name}\\.version>`).exec(pom)?.[1];
    if (value === undefined) throw new StackError(`tools/stack/pom.xml has no ${name}.version.`);
    return value.trim();
  };
  return { kafka: property('kafka'), redis: property('redis'), postgres: property('postgres') };
}

/** The versions this checkout runs. */
export function serverVersions(): ServerVersions {
  return parseVersions(readFileSync(join(projectRoot(), 'tools', 'stack', 'pom.xml'), 'utf8'));
}

/** One line naming the versions: written to `VERSION` of a data directory. */
export function versionLine(versions: ServerVersions): string {
  return `kafka ${versions.kafka}, redis ${versions.redis}, postgres ${versions.postgres}`;
}

/** The same line for all versions that read each other's data: releases of one PostgreSQL major do. */
function dataFormat(line: string): string {
  return line.replace(/(postgres \d+)\.\S*/, '$1');
}

/**
 * Binds a data directory to the server versions that wrote it.
 * @throws StackError when it was written by versions whose data these cannot read.
 */
export function checkDataVersion(dir: string, versions: ServerVersions): void {
  const file = join(dir, 'VERSION');
  const wanted = versionLine(versions);
  const found = existsSync(file) ? readFileSync(file, 'utf8').trim() : wanted;
  if (dataFormat(found) === dataFormat(wanted)) {
    mkdirSync(dir, { recursive: true });
    writeFileSync(file, `${wanted}\n`);
    return;
  }
  throw new StackError(
    `The data in ${dir} was written by other server versions (${found}; this checkout runs ${wanted}): ` +
      'run `npm run reset` to remove it and start afresh.',
  );
}
