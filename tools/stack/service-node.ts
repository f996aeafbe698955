import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ARCHIVE_NICENESS } from './child';
import { ManagedProcess, type UnexpectedExit } from './managed-process';
import { StackError } from './paths';
import { answersOk } from './probes';
import type { ProcessHandle } from './server-handle';
import { serviceFlags } from './service-flags';
import type { PlannedNode, ServiceName } from './service-plan';

/** A running instance of a service. */
export interface NodeHandle extends ProcessHandle {
  /** `gateway-1` … */
  readonly id: string;
  readonly service: ServiceName;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /**
   * Starts it again (stopping it first when it runs) on the same port; resolves when it is ready.
   * @param env variables that differ from the last start, kept for later restarts
   */
  restart(env?: Record<string, string>): Promise<void>;
}

/** What a node needs beside its plan. */
export interface NodeSettings {
  /** where the compiled services are */
  distDir: string;
  /** logs go to `<dir>/logs/<id>.log` */
  dir: string;
  env: Record<string, string>;
  /** Storage gives way to the services that deliver. */
  archiveGivesWay?: boolean;
  /** calls a start off */
  abort?: AbortSignal;
  onUnexpectedExit?: UnexpectedExit;
}

const READY_TIMEOUT_MS = 60_000;

/** The file that runs a service: its bundle's launcher. */
export function entryFile(distDir: string, service: ServiceName): string {
  return join(distDir, 'services', `${service}.js`);
}

/** Variables of our own environment that a service must not inherit: the stack decides them. */
const DECIDED_HERE = [
  'NODE_ENV',
  'NODE_ID',
  'HOST',
  'PORT',
  'PUBLIC_URL',
  'DATA_DIR',
  'SPOOL_ROOT',
  'KAFKA_BROKERS',
  'REDIS_URL',
  'DATABASE_URL',
  'STORAGE_URLS',
  'PRESENCE_URLS',
  'JWT_SECRET',
  'CLUSTER_SECRET',
  'MEDIA_DIR',
  'REDIS_PASSWORD',
  'DATABASE_PASSWORD',
];

/** Our environment without what the stack decides, with the given values on top. */
export function childEnvironment(values: Record<string, string>): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !DECIDED_HERE.includes(name));
  return { ...Object.fromEntries(inherited), ...values };
}

/** One instance of a service as a child process. */
export class ServiceNode extends ManagedProcess implements NodeHandle {
  readonly id: string;
  readonly service: ServiceName;
  private readonly entry: string;
  private readonly env: Record<string, string>;

  constructor(plan: PlannedNode, settings: NodeSettings) {
    const { distDir, dir, abort, onUnexpectedExit } = settings;
    const givesWay = settings.archiveGivesWay === true && plan.service === 'storage';
    const env = { ...settings.env };
    const entry = entryFile(distDir, plan.service);
    super({
      name: plan.id,
      port: plan.port,
      url: plan.url,
      logPath: join(dir, 'logs', `${plan.id}.log`),
      readyTimeoutMs: READY_TIMEOUT_MS,
      probe: () => answersOk(`${healthUrl(plan.url, env)}/health/ready`),
      abort,
      onUnexpectedExit,
      spec: () => ({
        command: process.execPath,
        args: [...serviceFlags(plan.service), entry],
        env: childEnvironment(env),
        stopSignal: 'SIGTERM',
        cwd: dir,
        niceness: givesWay ? ARCHIVE_NICENESS : undefined,
      }),
    });
    this.id = plan.id;
    this.service = plan.service;
    this.entry = entry;
    this.env = env;
  }

  override async start(): Promise<void> {
    if (!existsSync(this.entry)) {
      throw new StackError(`${this.entry} is missing: run \`npm run build\` first.`);
    }
    await super.start();
  }

  override async restart(env: Record<string, string> = {}): Promise<void> {
    await this.stop();
    Object.assign(this.env, env);
    await this.start();
  }
}

/** A gateway with a listener for operators has its health there. */
function healthUrl(url: string, { ADMIN_PORT }: Record<string, string>): string {
  return ADMIN_PORT ? `http://127.0.0.1:${ADMIN_PORT}` : url;
}
