import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot, serversDir } from '../../tools/stack/paths';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { isRunning, processTree } from '../support/process-tree';
import { Program } from '../support/program';
import { portRow } from '../support/started-stack';
import { say } from '../support/talk';

/** npm downloads and builds all of it, on a busy machine. */
const INSTALLED_MS = 20 * 60_000;
const ENDED_MS = 60_000;

/** What a stranger does first. The servers that this checkout has downloaded are used; npm's packages come from npm. */
describe('npm start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-clone-'));
  const clone = join(folder, 'tidings');
  let npm: Program | undefined;

  beforeAll(() => {
    execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${projectRoot()}`, clone]);
  });
  afterAll(async () => {
    await npm?.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }, ENDED_MS);

  it(
    'on a clone: installs, builds and runs, two people chat, and SIGTERM ends all of it',
    async () => {
      expect(existsSync(join(clone, 'node_modules'))).toBe(false);
      const gatewayPort = await portRow(2);
      const adminPort = await portRow(3);
      // as from a shell: not as a script of this checkout, nor with its data
      const inherited = Object.keys(process.env).filter((name) =>
        /^(?:npm_|TIDINGS_|JEST_|NODE_)/.test(name),
      );
      npm = new Program(null, {
        command: 'npm',
        args: ['start'],
        cwd: clone,
        env: {
          ...Object.fromEntries(inherited.map((name) => [name, undefined])),
          KAFKA_BROKERS: undefined,
          REDIS_URL: undefined,
          DATABASE_URL: undefined,
          GATEWAY_PORT: String(gatewayPort),
          ADMIN_PORT_BASE: String(adminPort),
          TIDINGS_SERVERS_DIR: serversDir(),
        },
      });
      await npm.shows(/^Ctrl-C stops everything/, 0, INSTALLED_MS);
      expect(npm.errors).toContain('Installing packages');
      expect(npm.errors).toContain('Building');

      const bases = [0, 1].map((n) => `http://127.0.0.1:${gatewayPort + n}`);
      const ann = await ChatUser.create(bases, { at: 0 });
      const bob = await ChatUser.create(bases, { at: 1 });
      const { id } = await ann.direct(bob);
      const [a, b] = [await ann.connect('gateway-1'), await bob.connect('gateway-2')];
      const { messageId } = await say(a, id, 'hello');
      await b.find((f) => f.type === 'message' && f['messageId'] === messageId);
      a.cut();
      b.cut();

      const processes = processTree(npm.pid);
      expect(processes.length).toBeGreaterThan(8);
      await npm.end('SIGTERM');
      await eventually(() => expect(processes.filter(isRunning)).toEqual([]), ENDED_MS);
      // what it made is where .gitignore expects it
      const left = execFileSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' });
      expect(left).toBe('');
    },
    INSTALLED_MS + 2 * ENDED_MS,
  );
});
