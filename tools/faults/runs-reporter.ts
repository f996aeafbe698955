import { availableParallelism, loadavg } from 'node:os';
import { relative } from 'node:path';
import { projectRoot } from '../stack/paths';
import { commitNow, faultCode, readFaultRuns, writeFaultRuns } from './fault-code';
import { withRun } from './fault-runs';

/** Of a test that has ended, what is looked at. */
interface EndedTest {
  fullName: string;
  status: string;
  duration?: number | null;
}

/**
 * A reporter of jest that keeps what became of each fault, as soon as it is known: a suite of two hours may be
 * ended, and what had run is not lost.
 */
export default class RunsReporter {
  /** Of its begin: files that are changed meanwhile are not what runs. */
  private readonly code = faultCode();
  private readonly commit = commitNow();
  private last: Promise<void> = Promise.resolve();

  onTestCaseResult({ path }: { path: string }, { fullName, status, duration }: EndedTest): void {
    if (status !== 'passed' && status !== 'failed') return;
    const at = new Date().toISOString();
    const pace = process.env['FAULT_RATE'];
    const loadPerCore = loadavg()[0]! / availableParallelism();
    this.last = this.last.then(async () => {
      const spec = relative(projectRoot(), path);
      const run = {
        at,
        commit: this.commit,
        // at another pace it is another run: it does not count for `--left`
        code: (await this.code) + (pace === undefined ? '' : ` at ${pace}`),
        node: process.versions.node,
        fsync: process.env['POSTGRES_FSYNC'] === 'on',
        loadPerCore: Math.round(loadPerCore * 10) / 10,
        seconds: Math.round((duration ?? 0) / 1000),
      };
      const test = { name: fullName, spec, passed: status === 'passed' };
      writeFaultRuns(withRun(readFaultRuns(), test, run));
    });
  }

  async onRunComplete(): Promise<void> {
    await this.last;
  }
}
