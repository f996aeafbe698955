/** Which devices of its conversation have a message: a bit for each, and how many. */
export class Seen {
  private readonly bytes: number;
  private readonly bits: Uint8Array;
  private readonly counts: Uint16Array;

  /** @param slots devices of each conversation */
  constructor(
    messages: number,
    private readonly slots: number,
  ) {
    this.bytes = Math.ceil(slots / 8);
    this.bits = new Uint8Array(messages * this.bytes);
    this.counts = new Uint16Array(messages);
  }

  /** A device got a message; false when it had it. */
  add(message: number, slot: number): boolean {
    const at = message * this.bytes + (slot >> 3);
    const bit = 1 << (slot & 7);
    if ((this.bits[at]! & bit) !== 0) return false;
    this.bits[at]! |= bit;
    this.counts[message]!++;
    return true;
  }

  /** Whether all devices have it. */
  byAll(message: number): boolean {
    return this.counts[message] === this.slots;
  }
}
