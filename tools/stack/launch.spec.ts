import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn as spawnAtTerminal } from '@lydell/node-pty';
import { Terminal } from '@xterm/headless';
import { eventually } from '../../test/support/eventually';
import { projectRoot } from './paths';

describe('the launcher', () => {
  let bin: string;

  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'tidings-bin-'));
  });

  afterEach(() => rmSync(bin, { recursive: true, force: true }));

  function program(name: string, script: string): void {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }

  function launch(...args: string[]): { status: number | null; text: string } {
    const env = { PATH: bin, TIDINGS_SERVERS_DIR: join(bin, 'none') };
    const result = spawnSync(process.execPath, [join(__dirname, 'launch.mjs'), ...args], {
      env,
      encoding: 'utf8',
    });
    return { status: result.status, text: result.stderr };
  }

  it('needs Java, in one sentence', () => {
    expect(launch('start')).toEqual({
      status: 1,
      text: expect.stringMatching(/^[^\n]*Java 17[^\n]*\n$/),
    });
  });

  it.each(['1.8.0_392', '11.0.2'])('refuses Java %s', (version) => {
    program('java', `echo 'openjdk version "${version}"' >&2`);
    expect(launch('start')).toEqual({
      status: 1,
      text: expect.stringMatching(/^[^\n]*Java 17[^\n]*version[^\n]*\n$/),
    });
  });

  it('needs Maven while the servers are not there', () => {
    program('java', `echo 'openjdk version "21" 2023-09-19' >&2`);
    expect(launch('start')).toEqual({
      status: 1,
      text: expect.stringMatching(/^[^\n]*Maven[^\n]*\n$/),
    });
  });

  describe('while another script builds', () => {
    const WAITS = 'Another script installs or builds: waiting for it …';
    let root: string;

    /** A checkout whose build makes a program that prints `started`; this process builds in it. */
    beforeEach(() => {
      root = mkdtempSync(join(tmpdir(), 'tidings-root-'));
      for (const folder of ['.data', 'node_modules', 'tools/stack'])
        mkdirSync(join(root, folder), { recursive: true });
      for (const file of ['package.json', 'package-lock.json', 'nest-cli.json'])
        copyFileSync(join(projectRoot(), file), join(root, file));
      copyFileSync(join(__dirname, 'launch.mjs'), join(root, 'tools', 'stack', 'launch.mjs'));
      const made = 'dist/clients/cli/src';
      program('npm', `mkdir -p ${made} && echo 'console.log("started")' >${made}/main.js`);
      writeFileSync(lock(), String(process.pid));
    });

    afterEach(() => rmSync(root, { recursive: true, force: true }));

    const lock = () => join(root, '.data', 'build.lock');
    const args = () => [join(root, 'tools', 'stack', 'launch.mjs'), 'chat'];
    const env = () => ({ PATH: `${bin}:/usr/bin:/bin`, TERM: 'xterm' });

    it('says that it waits as long as it does, at a terminal', async () => {
      const terminal = new Terminal({ cols: 80, rows: 24, allowProposedApi: true });
      const pty = spawnAtTerminal(process.execPath, args(), { cols: 80, rows: 24, env: env() });
      pty.onData((data) => terminal.write(data));
      const ended = new Promise<number>((resolve) => pty.onExit((end) => resolve(end.exitCode)));
      const { active } = terminal.buffer;
      const lines = () =>
        Array.from({ length: 24 }, (_, i) => active.getLine(i)!.translateToString(true)).filter(
          (line) => line !== '',
        );
      await eventually(() => expect(lines()).toEqual([WAITS]));
      rmSync(lock());
      expect(await ended).toBe(0);
      await eventually(() => expect(lines().at(-1)).toBe('started'));
      expect(lines()[0]).toBe('Installing packages (npm ci) …');
    });

    it('says in a log when the wait is over', async () => {
      const child = spawn(process.execPath, args(), { env: env() });
      const ended = once(child, 'close');
      let text = '';
      child.stderr.on('data', (data: Buffer) => (text += data.toString()));
      await eventually(() => expect(text).toBe(`${WAITS}\n`));
      rmSync(lock());
      expect(await ended).toEqual([0, null]);
      expect(text).toContain(`${WAITS}\n  done\nInstalling packages`);
    });
  });

  it.each([[[]], [['nonsense']], [['__proto__']]])('shows its usage for %j', (args) => {
    expect(launch(...args)).toEqual({ status: 1, text: expect.stringMatching(/^Usage: /) });
  });
});
