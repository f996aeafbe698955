import type { Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { logLines, metricOf } from '../support/service-report';

/** Entries per batch, on average, with which a spool empties. */
const BATCH_AT_LEAST = 20;
/** The metrics page is brought up to date once a second. */
const COUNTED_WITHIN_MS = 10_000;

const gatewaysOf = (stack: Stack) =>
  stack.gatewayUrls.map((_, i) => stack.node(`gateway-${i + 1}`));

/** No gateway has messages on its disk any more. */
export async function spoolsAreEmpty(stack: Stack): Promise<void> {
  for (const { url } of gatewaysOf(stack)) {
    await eventually(async () => {
      expect(await metricOf(url, 'spool_entries')).toBe(0);
      expect(await metricOf(url, 'spool_bytes')).toBe(0);
    }, 30_000);
  }
}

/**
 * Each gateway that held messages has said so once, and once that it is over, with how long it took
 * and how many there were; and they went in batches.
 */
export async function closesOutages(
  stack: Stack,
  { longerThanMs, heldAtLeast }: { longerThanMs: number; heldAtLeast: number },
): Promise<void> {
  let held = 0;
  for (const { url, logPath } of gatewaysOf(stack)) {
    const [begun, ended] = ['sends are held on disk', 'nothing is held any more'].map((text) =>
      logLines(logPath, text),
    );
    expect([begun!.length, ended!.length]).toEqual([1, 1]);
    expect([begun![0]!.level, ended![0]!.level]).toEqual(['warn', 'warn']);
    const end = ended![0] as unknown as { ms: number; held: number };
    expect(end.ms).toBeGreaterThan(longerThanMs);
    held += end.held;
    await eventually(async () => {
      expect(await metricOf(url, 'held_total')).toBe(end.held);
      expect(await metricOf(url, 'spool_drained_total')).toBe(end.held);
    }, COUNTED_WITHIN_MS);
    const batches = await metricOf(url, 'spool_drain_batches_total');
    expect(end.held / batches).toBeGreaterThan(BATCH_AT_LEAST);
  }
  expect(held).toBeGreaterThanOrEqual(heldAtLeast);
}
