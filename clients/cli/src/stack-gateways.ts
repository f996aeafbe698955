import { readFileSync } from 'node:fs';

/** Where `npm start` says what it runs. */
export const STACK_FILE = '.data/stack.json';

/**
 * Gateways of the stack that runs on this machine, in random order, so that two terminals often ask
 * different ones; none when there is no stack.
 */
export function stackGateways(path = STACK_FILE, random: () => number = Math.random): string[] {
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
