import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../tools/stack/paths';
import { freePorts } from '../../tools/stack/ports';
import { runProgram } from '../../tools/stack/run-program';

const COMMAND_MS = 240_000;
/** Building the images, and from nothing to healthy. */
const UP_MS = 900_000;

/** A container of the stack. */
export interface Container {
  /** 64 hexadecimal digits. */
  id: string;
  service: string;
  /** The first twelve of them: how other containers find it. */
  hostname: string;
}

/** The stack of `docker-compose.yml` as it is, under a project name, with ports and secrets of its own. */
export class ComposeStack {
  private constructor(
    readonly project: string,
    private readonly folder: string,
    readonly httpPort: number,
    readonly kafkaPort: number,
    private readonly options: readonly string[],
  ) {}

  /** Where clients are sent, and the only address that they know. */
  get url(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  /** `options`: of `docker compose`, as further files and profiles. */
  static async prepare(
    settings: Record<string, string> = {},
    options: readonly string[] = [],
  ): Promise<ComposeStack> {
    const folder = mkdtempSync(join(tmpdir(), 'tidings-compose-'));
    const [httpPort = 0, kafkaPort = 0] = await freePorts(2);
    const stack = new ComposeStack(`tidings-${process.pid}`, folder, httpPort, kafkaPort, options);
    const secret = (): string => randomBytes(48).toString('base64url');
    const values = {
      HTTP_PORT: String(httpPort),
      KAFKA_PORT: String(kafkaPort),
      JWT_SECRET: secret(),
      CLUSTER_SECRET: secret(),
      POSTGRES_PASSWORD: `${secret()}@/#`,
      REDIS_PASSWORD: secret(),
      ...settings,
    };
    const lines = Object.entries(values).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(stack.settings, lines.join(''), { mode: 0o600 });
    return stack;
  }

  /** Builds, starts and waits until all are healthy. */
  up(...options: string[]): Promise<string> {
    return this.compose(['up', '--detach', '--wait', ...options], UP_MS);
  }

  /** So many containers of each named service; others stay as they are. */
  scale(counts: Record<string, number>): Promise<string> {
    const scales = Object.entries(counts).flatMap(([name, n]) => ['--scale', `${name}=${n}`]);
    return this.up('--no-recreate', ...scales, ...Object.keys(counts));
  }

  /** Removes everything that it made, also volumes; images stay. */
  async remove(): Promise<void> {
    await this.compose(['down', '--volumes', '--remove-orphans', '--timeout', '5'], COMMAND_MS);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Running containers of a service, the oldest first. */
  async containers(service: string): Promise<Container[]> {
    const ids = (await this.compose(['ps', '--quiet', service])).split('\n').filter(Boolean);
    if (ids.length === 0) return [];
    const format = '{{.Created}} {{.Id}}';
    const lines = await docker(['inspect', '--format', format, ...ids]);
    return lines
      .trim()
      .split('\n')
      .sort()
      .map((line) => line.split(' ')[1]!)
      .map((id) => ({ id, service, hostname: id.slice(0, 12) }));
  }

  /** Ends what runs in a container by SIGKILL, as a crash does: Docker starts it again. */
  async crash({ id }: Container): Promise<void> {
    // the parent is the container's init, which ends with it
    await docker(['exec', id, 'bash', '-c', 'kill -9 $(cat /proc/1/task/1/children)']);
  }

  /** Runs `docker compose`; its output. Rejects when that fails. */
  compose(words: string[], timeoutMs = COMMAND_MS): Promise<string> {
    const own = ['--project-name', this.project, '--env-file', this.settings];
    return docker(['compose', ...own, ...this.options, ...words], timeoutMs);
  }

  private get settings(): string {
    return join(this.folder, 'settings.env');
  }
}

/** Runs `docker`; its output. Rejects when that fails. */
export async function docker(words: string[], timeoutMs = COMMAND_MS): Promise<string> {
  const { code, output } = await runProgram('docker', words, { cwd: projectRoot(), timeoutMs });
  if (code !== 0) throw new Error(`docker ${words.join(' ')}: ${code}\n${output.slice(-600)}`);
  return output;
}
