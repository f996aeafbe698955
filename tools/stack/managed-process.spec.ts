import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManagedProcess } from './managed-process';
import { freePorts } from './ports';

const BUSY = 'block is still in use';

/** Ends with a complaint at its first start; runs at its second one. */
const SECOND_TIME = `
  const { existsSync, writeFileSync } = require('node:fs');
  const [mark] = process.argv.slice(1);
  if (!existsSync(mark)) { writeFileSync(mark, ''); console.error('${BUSY}'); process.exit(1); }
  writeFileSync(mark + '-runs', '');
  setInterval(() => undefined, 1000);
`;

describe('a process of the stack', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-process-'));
  });

  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  async function processOf(startsLater?: string): Promise<ManagedProcess> {
    const [port] = await freePorts(1);
    const mark = join(dir, 'mark');
    return new ManagedProcess({
      name: 'server',
      port: port!,
      url: '',
      startsLater,
      readyTimeoutMs: 10_000,
      logPath: join(dir, 'log'),
      probe: () => Promise.resolve(existsSync(`${mark}-runs`)),
      spec: () => ({
        command: process.execPath,
        args: ['-e', SECOND_TIME, mark],
        env: process.env,
        stopSignal: 'SIGTERM',
      }),
    });
  }

  it('is started again when it says that it may start later', async () => {
    const server = await processOf(BUSY);
    await server.start();
    expect(server.isAlive()).toBe(true);
    await server.stop();
  });

  it('is not started again for another reason', async () => {
    const server = await processOf('something else');
    await expect(server.start()).rejects.toThrow(BUSY);
    expect(server.isAlive()).toBe(false);
  });
});
