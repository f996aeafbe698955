import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

  it.each([[[]], [['nonsense']], [['__proto__']]])('shows its usage for %j', (args) => {
    expect(launch(...args)).toEqual({ status: 1, text: expect.stringMatching(/^Usage: /) });
  });
});
