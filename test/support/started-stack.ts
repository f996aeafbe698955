import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../tools/stack/ports';
import { readStackFile, type StackFile } from '../../tools/stack/stack-file';
import { eventually } from './eventually';
import { processTree } from './process-tree';
import { Program } from './program';

export interface StartOptions {
  /** Data directory (`TIDINGS_DATA_DIR`). */
  dir: string;
  /** Port of the first gateway; the others follow it. */
  gatewayPort: number;
  /** Port of the first other service; the others follow it. */
  adminPort: number;
  args?: readonly string[];
  env?: Record<string, string>;
}

/** Until all runs, on a loaded machine. */
const START_MS = 240_000;

/** `npm start` as a process: the start script, with a channel to who started it, as its launcher runs it. */
export class StartedStack extends Program {
  constructor(private readonly options: StartOptions) {
    super(join('tools', 'stack', 'start.js'), {
      args: options.args,
      env: {
        KAFKA_BROKERS: undefined,
        REDIS_URL: undefined,
        DATABASE_URL: undefined,
        ...options.env,
        TIDINGS_DATA_DIR: options.dir,
        GATEWAY_PORT: String(options.gatewayPort),
        ADMIN_PORT_BASE: String(options.adminPort),
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
  }

  /** Waits until it says that all runs. */
  async runs(): Promise<void> {
    await this.shows(/^Ctrl-C stops everything/, 0, START_MS);
  }

  /** As when the launcher above it has ended, without a word. */
  letGo(): void {
    this.child.disconnect();
  }

  /** Addresses and processes, as other programs find them now. */
  get file(): StackFile {
    const file = readStackFile(this.options.dir);
    if (!file) throw new Error(`nothing runs in ${this.options.dir}`);
    return file;
  }

  /** All its processes at this moment, itself included. */
  processes(): number[] {
    return processTree(this.pid);
  }

  /** Ports of its services and of its own servers. */
  ports(): number[] {
    const servers = JSON.parse(
      readFileSync(join(this.options.dir, 'ports.json'), 'utf8'),
    ) as object;
    const services = this.file.nodes.map(({ url }) => Number(new URL(url).port));
    return [...services, ...(Object.values(servers) as number[])];
  }
}

/** The first of so many free ports in a row. */
export async function portRow(count: number): Promise<number> {
  return eventually(async () => {
    const ports = await freePorts(count);
    if (ports.some((port, i) => port !== ports[0]! + i)) throw new Error('not in a row');
    return ports[0]!;
  });
}
