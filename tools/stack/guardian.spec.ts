import { transformFileSync } from '@swc/core';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

const PARENT = `
const { spawn } = require('node:child_process');
const { guard } = require('./guardian.js');
const polite = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
const stubborn = spawn('/bin/sh', ['-c', 'trap "" TERM; while :; do sleep 0.2; done'], { detached: true, stdio: 'ignore' });
guard(polite.pid, 'SIGTERM');
guard(stubborn.pid, 'SIGTERM');
setTimeout(() => console.log(JSON.stringify([polite.pid, stubborn.pid])), 200);
`;

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function gone(pid: number, timeoutMs: number): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await delay(50)) {
    if (!exists(pid)) return true;
  }
  return false;
}

it('children of a runner that was killed end, the stubborn ones by force', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-guardian-'));
  try {
    const { code } = transformFileSync(join(__dirname, 'guardian.ts'), {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    writeFileSync(join(dir, 'guardian.js'), code);
    writeFileSync(join(dir, 'parent.js'), PARENT);
    const parent = spawn(process.execPath, [join(dir, 'parent.js')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    const [polite = 0, stubborn = 0] = JSON.parse(line) as number[];
    expect([polite, stubborn].map(exists)).toEqual([true, true]);
    parent.kill('SIGKILL');
    expect(await gone(polite, 4000)).toBe(true);
    expect(await gone(stubborn, 15_000)).toBe(true);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
