const PATIENCE_MS = 30_000;
const PAUSE_MS = 250;

/**
 * What a test has to build before it begins: asks again as long as a busy server says so (5xx).
 * Throws for any other refusal.
 */
export async function succeeds<T extends { status: number; body: unknown }>(
  ask: () => Promise<T>,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer.status < 300) return answer;
    if (answer.status < 500 || performance.now() > end) {
      throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
