import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runStageProgram, type StageEnd } from './stage-program';

/** A program's end must not be waited for for long, nor a busy machine be blamed, milliseconds. */
const LONG_MS = 60_000;

describe('a program of a stage', () => {
  let dir: string;
  let pid: number;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-stage-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const run = (
    script: string,
    limits: { timeoutMs?: number; endWithinMs?: number } = {},
  ): Promise<StageEnd> => {
    const report = join(dir, 'report.json');
    const write = `require('fs').writeFileSync(${JSON.stringify(report)}, '{}');`;
    return runStageProgram({
      command: process.execPath,
      cwd: dir,
      env: process.env,
      report,
      args: ['-e', script.replace('REPORT', write)],
      timeoutMs: limits.timeoutMs ?? LONG_MS,
      endWithinMs: limits.endWithinMs ?? LONG_MS,
      started: (started) => (pid = started),
    });
  };
  const isGone = (): boolean => {
    try {
      process.kill(-pid, 0);
      return false;
    } catch {
      return true;
    }
  };

  it.each([
    ['REPORT', 'ok'],
    ['REPORT process.exit(1)', 'failed'],
    ['process.exit(1)', 'failed'],
  ])('%s ends as %s', async (script, end) => {
    expect(await run(script)).toBe(end);
  });

  it('that does not end after its last test is killed as hung', async () => {
    const end = await run('REPORT setInterval(() => {}, 1000)', { endWithinMs: 100 });
    expect(end).toBe('hung');
    expect(existsSync(join(dir, 'report.json'))).toBe(true);
    expect(isGone()).toBe(true);
  });

  it('that still runs tests is not hung, but has its limit', async () => {
    const end = await run('setInterval(() => {}, 1000)', { endWithinMs: 100, timeoutMs: 1_500 });
    expect(end).toBe('late');
    expect(isGone()).toBe(true);
  });

  it('that cannot be started has failed', async () => {
    const options = { args: [], cwd: dir, env: process.env, timeoutMs: LONG_MS };
    expect(await runStageProgram({ ...options, command: join(dir, 'nothing') })).toBe('failed');
  });
});
