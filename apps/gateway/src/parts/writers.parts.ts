import type { Gateway } from '../gateway';

/** How long records may still be appended when stopping, milliseconds. */
export const FLUSH_MS = 3_000;

/** Connects whatever appends to the log or asks it. */
export async function startWriters({ logs, typing, sends }: Gateway): Promise<void> {
  const { messages, presence, receipts, watermarks } = logs;
  const started = [messages, presence, receipts, watermarks, typing];
  await Promise.all(started.map((one) => one.start()));
  sends.holding.start();
}

/** Messages last: whoever stops with something to say has said it by then. */
export async function stopWriters(gateway: Gateway): Promise<void> {
  const { logs, typing, receipts, trace, sends } = gateway;
  logs.watermarks.stop();
  receipts.log.stop();
  trace.close();
  const side = [logs.presence, logs.receipts, typing];
  await Promise.all(side.map((one) => one.stop({ flushMs: FLUSH_MS })));
  await sends.holding.stop({ flushMs: FLUSH_MS });
}
