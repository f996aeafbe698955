/** The items could not be put into a statement: our own code threw for one of them. */
export class UnusableItem extends Error {
  constructor(cause: unknown) {
    super('an item could not be put into a statement', { cause });
    this.name = 'UnusableItem';
  }
}

/**
 * Makes the values of a statement, without awaiting anything. Whatever it throws, it would throw
 * every time; it is rethrown as {@link UnusableItem}.
 */
export function valuesOf<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new UnusableItem(error);
  }
}

/** SQLSTATE classes that blame the values: bad data, violated constraint, limit of the database. */
const VALUE_CLASSES = ['22', '23', '54'];

/**
 * Whether the items themselves are at fault, so that no repetition helps: our own code threw for
 * them, or PostgreSQL refused their values. Any other failure may pass, and is waited for.
 */
export function blamesItems(error: unknown): boolean {
  if (error instanceof UnusableItem) return true;
  const wrapper = error as { driverError?: unknown } | null;
  const { code } = (wrapper?.driverError ?? error ?? {}) as { code?: unknown };
  if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code)) return false;
  return VALUE_CLASSES.includes(code.slice(0, 2));
}

/**
 * Applies items together. If they are at fault, halves them down to the faulty ones, which
 * `setAside` receives. Throws any failure that may pass; some items are applied by then, so
 * applying has to be idempotent.
 */
export async function applyOneByOne<T>(
  items: readonly T[],
  apply: (items: readonly T[]) => Promise<void>,
  setAside: (item: T, error: unknown) => void,
): Promise<void> {
  try {
    await apply(items);
  } catch (error) {
    if (!blamesItems(error) || items.length === 0) throw error;
    if (items.length === 1) return setAside(items[0]!, error);
    const half = items.length >> 1;
    await applyOneByOne(items.slice(0, half), apply, setAside);
    await applyOneByOne(items.slice(half), apply, setAside);
  }
}
