import { type Random, randomBelow, randomHex } from '../random';

const HEX_DIGITS = 12;
const SEQUENCE_AT = 28;

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/**
 * Message ids of one run: UUIDv7 (RFC 9562 §5.7) whose last 32 bits are the message's number and
 * whose other random bits are the same for the whole run. So an id that comes back is judged
 * without a table of strings: its number, its run and its time must all be what was sent.
 */
export class MessageIds {
  /** the digits between time and number, with dashes: `-7rrr-vrrr-rrrr` */
  private readonly tag: string;
  private lastMs = -1;
  private lastTime = '';

  constructor(random: Random) {
    const variant = (8 + randomBelow(random, 4)).toString(16);
    this.tag = `-7${randomHex(random, 3)}-${variant}${randomHex(random, 3)}-${randomHex(random, 4)}`;
  }

  /** Id of message `sequence`, made at `unixMs` (whole milliseconds). */
  make(sequence: number, unixMs: number): string {
    if (unixMs !== this.lastMs) {
      const time = hex(unixMs, HEX_DIGITS);
      this.lastTime = `${time.slice(0, 8)}-${time.slice(8)}`;
      this.lastMs = unixMs;
    }
    return this.lastTime + this.tag + hex(sequence, 8);
  }

  /** The number in an id of this run; -1 for any other id. */
  sequenceOf(id: string): number {
    if (id.length !== 36 || !id.startsWith(this.tag, 13)) return -1;
    const sequence = Number.parseInt(id.slice(SEQUENCE_AT), 16);
    return Number.isNaN(sequence) ? -1 : sequence;
  }

  /** The time in an id, Unix milliseconds. */
  timeOf(id: string): number {
    return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
  }
}
