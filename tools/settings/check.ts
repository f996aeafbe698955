import { EnvironmentError, EX_CONFIG, loadEnv } from '@tidings/common/runtime/env';
import { SCHEMAS } from './services';

/**
 * Says what is wrong with the settings of all services, a sentence for each, before any of them starts
 * (in `docker-compose.yml`). Exit code 78: something is.
 */
const problems = new Set<string>();
for (const schema of Object.values(SCHEMAS)) {
  try {
    loadEnv(schema);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    for (const line of error.message.split('\n')) problems.add(line);
  }
}
if (problems.size > 0) {
  process.stderr.write(`${[...problems].join('\n')}\n`);
  process.exitCode = EX_CONFIG;
}
