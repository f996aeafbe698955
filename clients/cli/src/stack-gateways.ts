import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where `npm start` says what it runs (`TIDINGS_DATA_DIR` moves it). */
function stackFile(env: Record<string, string | undefined> = process.env): string {
  return join(env['TIDINGS_DATA_DIR'] ?? '.data', 'stack.json');
}

/**
 * Gateways of the stack that runs on this machine, in random order, so that two terminals often ask
 * different ones; none when there is no stack.
 */
export function stackGateways(path = stackFile(), random: () => number = Math.random): string[] {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as { gateways?: unknown };
    const gateways = Array.isArray(file.gateways) ? file.gateways : [];
    const urls = gateways.filter((url): url is string => typeof url === 'string');
    const turn = Math.floor(random() * urls.length);
    return [...urls.slice(turn), ...urls.slice(0, turn)];
  } catch {
    return [];
  }
}
