/**
 * A bounded map that forgets what was not used for long: a young and an old generation. When the
 * young one is full it becomes the old one, and the old one is dropped; a use of an old entry brings
 * it back to the young ones. Constant time, no order to maintain. Holds between `capacity / 2` and
 * `capacity` entries that were used last.
 */
export class Generations<K, V> {
  private young = new Map<K, V>();
  private old = new Map<K, V>();

  /** `turned` is told whenever the young generation became the old one. */
  constructor(
    private readonly capacity: number,
    private readonly turned: () => void = () => undefined,
  ) {}

  /** How many entries are held, those in both generations counted twice. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  get(key: K): V | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: K, value: V): void {
    this.young.set(key, value);
    if (this.young.size * 2 < this.capacity) return;
    this.old = this.young;
    this.young = new Map();
    this.turned();
  }

  delete(key: K): void {
    this.young.delete(key);
    this.old.delete(key);
  }
}
