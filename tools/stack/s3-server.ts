import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { mavenFailure } from './download';
import { javaCommand } from './kafka-server';
import { ManagedProcess } from './managed-process';
import { StackError, projectRoot, serversDir } from './paths';
import { freePorts } from './ports';
import { answersOk } from './probes';
import { runProgram } from './run-program';
import type { ServerHandle, ServerOptions } from './server-handle';

/** Adobe S3Mock: an S3 server for tests only, fetched when a test asks for it. */
const READY_TIMEOUT_MS = 90_000;
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
/** The bucket that the server has from the start. */
export const S3_BUCKET = 'media';

/**
 * The server's jar, downloaded by Maven at the first call (60 MB).
 * @throws StackError with one sentence when the download fails.
 */
async function ensureS3Server(): Promise<string> {
  const pom = readFileSync(join(projectRoot(), 'tools', 'stack', 'pom.xml'), 'utf8');
  const version = /<s3mock\.version>([^<]+)</.exec(pom)?.[1];
  if (version === undefined) throw new StackError('tools/stack/pom.xml has no s3mock.version.');
  const name = `s3mock-${version}-exec.jar`;
  const home = join(serversDir(), name);
  if (existsSync(home)) return home;
  mkdirSync(serversDir(), { recursive: true });
  const work = mkdtempSync(join(serversDir(), '.s3mock-'));
  try {
    const artifact = `-Dartifact=com.adobe.testing:s3mock:${version}:jar:exec`;
    const args = ['-q', '-B', '-C', COPY, artifact, `-DoutputDirectory=${work}`];
    const result = await runProgram('mvn', args, { cwd: work });
    if (result.code !== 0) throw new StackError(mavenFailure(result.output));
    renameSync(join(work, name), home);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return home;
}

class S3Server extends ManagedProcess implements ServerHandle {}

/**
 * Starts an S3 server with one empty bucket; its url is the endpoint.
 * @throws StackError
 */
export async function startS3Server(options: Omit<ServerOptions, 'port'>): Promise<ServerHandle> {
  const jar = await ensureS3Server();
  const [port = 0, tlsPort = 0] = await freePorts(2);
  const url = `http://127.0.0.1:${port}`;
  const root = join(options.dir, 's3');
  mkdirSync(root, { recursive: true });
  const settings = {
    'server.address': '127.0.0.1',
    'server.port': tlsPort,
    'com.adobe.testing.s3mock.http-port': port,
    'com.adobe.testing.s3mock.store.root': root,
    'com.adobe.testing.s3mock.store.initial-buckets': S3_BUCKET,
  };
  const server = new S3Server({
    name: 's3',
    port,
    url,
    logPath: join(options.dir, 'logs', 's3.log'),
    abort: options.abort,
    onUnexpectedExit: options.onUnexpectedExit,
    readyTimeoutMs: READY_TIMEOUT_MS,
    probe: () => answersOk(`${url}/${S3_BUCKET}?location`),
    spec: () => ({
      command: javaCommand(),
      args: [
        '-Xmx256m',
        '-XX:TieredStopAtLevel=1',
        ...Object.entries(settings).map(([name, value]) => `-D${name}=${value}`),
        '-jar',
        jar,
      ],
      env: process.env,
      stopSignal: 'SIGTERM',
    }),
  });
  await server.start();
  return server;
}
