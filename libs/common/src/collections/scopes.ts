/** Gives names (conversation ids) small numbers for as long as something refers to them. */
export class Scopes {
  private readonly numbers = new Map<string, number>();
  private readonly names: (string | null)[] = [];
  private uses = new Uint32Array(16);
  private readonly free: number[] = [];

  /** How many names have a number. */
  get size(): number {
    return this.numbers.size;
  }

  /** The number of a name; -1 when nothing refers to it. */
  find(name: string): number {
    return this.numbers.get(name) ?? -1;
  }

  /** The name of a number that is in use. */
  nameOf(number: number): string {
    return this.names[number]!;
  }

  /** The number of a name, with one more reference. */
  take(name: string): number {
    let number = this.numbers.get(name);
    if (number === undefined) {
      number = this.free.pop() ?? this.names.length;
      this.names[number] = name;
      this.numbers.set(name, number);
      if (number >= this.uses.length) this.grow();
    }
    this.uses[number]! += 1;
    return number;
  }

  /** Drops one reference; the last one frees the number. */
  drop(number: number): void {
    if ((this.uses[number]! -= 1) > 0) return;
    this.numbers.delete(this.names[number]!);
    this.names[number] = null;
    this.free.push(number);
  }

  private grow(): void {
    const uses = new Uint32Array(this.uses.length * 2);
    uses.set(this.uses);
    this.uses = uses;
  }
}
