import { readHistory } from '../history';
import { judge } from './judge';

/** `node dist/tools/load/checks/main.js .data/faults/….jsonl`: judges a saved history once more. */

const [file] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('Usage: node dist/tools/load/checks/main.js FILE\n');
  process.exit(2);
}
const events = readHistory(file);
const { valid, violations, counts, operations } = judge(events);
for (const { promise, type, what, events: shown } of violations) {
  process.stdout.write(`${promise} ${type}: ${what}\n`);
  for (const i of shown) process.stdout.write(`    ${JSON.stringify(events[i])}\n`);
}
process.stdout.write(`${JSON.stringify({ valid, counts, operations })}\n`);
process.exitCode = violations.length > 0 ? 1 : 0;
