import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFaultRuns } from '../../tools/faults/fault-code';
import { withFaultRuns } from '../../tools/faults/fault-runs';

const page = readFileSync(join(__dirname, '../../docs/RELIABILITY.md'), 'utf8');

describe('docs/RELIABILITY.md', () => {
  it('has the runs of faults as they are kept (npm run docs writes it)', () => {
    expect(page).toBe(withFaultRuns(page, readFaultRuns()));
  });
});
