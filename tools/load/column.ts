/** A typed array that grows at its end; reads beyond `length` are meaningless. */
export class Column<T extends Float64Array | Int32Array> {
  length = 0;

  constructor(public values: T) {}

  push(value: number): void {
    if (this.length === this.values.length) {
      const Larger = this.values.constructor as new (length: number) => T;
      const larger = new Larger(this.values.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length++] = value;
  }

  at(index: number): number {
    return this.values[index]!;
  }
}
