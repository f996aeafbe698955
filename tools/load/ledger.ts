import { Column } from './column';
import { ErrorList, type LedgerReport } from './ledger-report';

/**
 * Everything that was sent, acknowledged, pushed and stored in one run, in columns of numbers, and
 * the check over it. Messages are numbered as they are sent; devices and conversations are indices;
 * positions are numbers (exact below 2^53). Every conversation has the same number of devices.
 *
 * The check: each acknowledged message reached every device of its conversation, with the position
 * that the sender was told (the lowest, after duplicates are merged); positions and messages name
 * each other one to one; pushes of a conversation come to a device in rising position with an
 * unbroken chain of `previous`; one device's sends to a conversation keep their order; and what
 * PostgreSQL holds is the same.
 */
export class Ledger {
  private readonly slotOf: Int32Array;
  private readonly conversationOf: Int32Array;
  private readonly slots: number;
  /** device of each (conversation, slot) */
  private readonly deviceAt: Int32Array;
  private readonly sendSender: Column<Int32Array>;
  private readonly acks: Float64Array;
  private readonly storedAt: Float64Array;
  private readonly resent = new Set<number>();
  private readonly pushDevice: Column<Int32Array>;
  private readonly pushMessage: Column<Int32Array>;
  private readonly pushPosition: Column<Float64Array>;
  private readonly pushPrevious: Column<Float64Array>;
  private readonly repairs: { device: number; message: number; position: number }[] = [];
  private readonly early = new ErrorList();

  /**
   * @param conversations the devices of each conversation
   * @param capacity how many messages will be sent at most
   */
  constructor(conversations: readonly (readonly number[])[], capacity: number) {
    this.slots = conversations[0]?.length ?? 0;
    this.deviceAt = Int32Array.from(conversations.flat());
    const devices = 1 + Math.max(-1, ...conversations.flat());
    this.slotOf = new Int32Array(devices).fill(-1);
    this.conversationOf = new Int32Array(devices).fill(-1);
    conversations.forEach((members, conversation) =>
      members.forEach((device, slot) => {
        this.slotOf[device] = slot;
        this.conversationOf[device] = conversation;
      }),
    );
    const pushes = Math.ceil(capacity * this.slots * 1.1) + 16;
    this.sendSender = new Column(new Int32Array(capacity + 1));
    this.acks = new Float64Array(capacity).fill(Number.NaN);
    this.storedAt = new Float64Array(capacity).fill(Number.NaN);
    this.pushDevice = new Column(new Int32Array(pushes));
    this.pushMessage = new Column(new Int32Array(pushes));
    this.pushPosition = new Column(new Float64Array(pushes));
    this.pushPrevious = new Column(new Float64Array(pushes));
  }

  /** How many messages were sent. */
  get sent(): number {
    return this.sendSender.length;
  }

  /** A message was sent; gives its number. */
  send(device: number): number {
    this.sendSender.push(device);
    return this.sendSender.length - 1;
  }

  /** A message was sent again: its place in the sender's order is no longer its own. */
  sendAgain(message: number): void {
    this.resent.add(message);
  }

  /** The sender was told a position. True for the first answer. */
  ack(message: number, position: number): boolean {
    const before = this.acks[message]!;
    if (Number.isNaN(before)) {
      this.acks[message] = position;
      return true;
    }
    if (before !== position) {
      this.early.add('ack_changed', () => `message ${message}: ${before}, later ${position}`);
    }
    return false;
  }

  /** The position that the sender was told; NaN before. */
  positionOf(message: number): number {
    return this.acks[message]!;
  }

  /** Conversation of a message. */
  conversationOfMessage(message: number): number {
    return this.conversationOf[this.sendSender.at(message)]!;
  }

  /** A message was pushed to a device; `previous` NaN for null. */
  push(device: number, message: number, position: number, previous: number): void {
    this.pushDevice.push(device);
    this.pushMessage.push(message);
    this.pushPosition.push(position);
    this.pushPrevious.push(previous);
  }

  /** Another entry of the device's conversation was pushed: a link of the chain. */
  pushOther(device: number, position: number, previous: number): void {
    this.push(device, -1, position, previous);
  }

  /** A message came to a device by sync, after the run. */
  repair(device: number, message: number, position: number): void {
    this.repairs.push({ device, message, position });
  }

  /** A push that nobody sent, or with another text, or to a stranger. */
  invented(what: string): void {
    this.early.add('invented', () => what);
  }

  /** PostgreSQL holds the message at this position. */
  stored(message: number, position: number): void {
    this.storedAt[message] = position;
  }

  /** Judges everything that was noted so far. Costs O(pushes). */
  check(options: { storedKnown: boolean }): LedgerReport {
    const errors = new ErrorList();
    const merged = new Float64Array(this.sent * this.slots).fill(Number.NaN);
    const counts = this.replay(merged, errors);
    const acknowledged = this.checkMessages(merged, errors, options.storedKnown);
    const all = [...this.early.list(), ...errors.list()];
    return {
      valid: all.length === 0,
      acknowledged,
      unanswered: this.sent - acknowledged,
      ...counts,
      repaired: this.repairs.length,
      errors: all,
    };
  }

  /** Devices that lack acknowledged messages, for a repairing sync. */
  missing(): Map<number, number[]> {
    const merged = new Float64Array(this.sent * this.slots).fill(Number.NaN);
    this.replay(merged, new ErrorList());
    const missing = new Map<number, number[]>();
    for (let at = 0; at < merged.length; at++) {
      const message = Math.floor(at / this.slots);
      if (Number.isNaN(this.acks[message]!) || !Number.isNaN(merged[at]!)) continue;
      const device = this.deviceOf(message, at % this.slots);
      const list = missing.get(device) ?? [];
      missing.set(device, list);
      list.push(message);
    }
    return missing;
  }

  private deviceOf(message: number, slot: number): number {
    return this.deviceAt[this.conversationOfMessage(message) * this.slots + slot]!;
  }

  /** Goes through the pushes in the order of their arrival; fills in each device's merged positions. */
  private replay(
    merged: Float64Array,
    errors: ErrorList,
  ): { duplicates: number; unknownPrevious: number } {
    const last = new Float64Array(this.slotOf.length).fill(Number.NaN);
    const counts = { duplicates: 0, unknownPrevious: 0 };
    for (let i = 0; i < this.pushDevice.length; i++) {
      const device = this.pushDevice.at(i);
      const message = this.pushMessage.at(i);
      const position = this.pushPosition.at(i);
      if (message >= 0 && !this.merge(merged, device, message, position, errors)) {
        counts.duplicates++;
        continue;
      }
      const previous = this.pushPrevious.at(i);
      const before = last[device]!;
      if (Number.isNaN(previous)) counts.unknownPrevious++;
      else if (!Number.isNaN(before) && previous !== before && position > before) {
        errors.add('chain', () => {
          return `device ${device}: ${position} names ${previous} before it, but ${before} was`;
        });
      }
      if (position <= before) {
        errors.add('push_order', () => `device ${device}: ${position} came after ${before}`);
      } else last[device] = position;
    }
    for (const { device, message, position } of this.repairs) {
      this.merge(merged, device, message, position, errors);
    }
    return counts;
  }

  /** Merges one delivery by id, the lower position wins. False when the device had the message. */
  private merge(
    merged: Float64Array,
    device: number,
    message: number,
    position: number,
    errors: ErrorList,
  ): boolean {
    if (
      message >= this.sent ||
      this.conversationOfMessage(message) !== this.conversationOf[device]
    ) {
      errors.add('invented', () => `device ${device} got message ${message}, which is not its`);
      return true;
    }
    const at = message * this.slots + this.slotOf[device]!;
    const before = merged[at]!;
    if (!(before <= position)) merged[at] = position;
    return Number.isNaN(before);
  }

  private checkMessages(merged: Float64Array, errors: ErrorList, storedKnown: boolean): number {
    const holders = new Map<number, number>();
    const lastOfSender = new Float64Array(this.slotOf.length).fill(Number.NaN);
    let acknowledged = 0;
    for (let message = 0; message < this.sent; message++) {
      const position = this.acks[message]!;
      this.checkDevices(message, position, merged, errors);
      if (Number.isNaN(position)) continue;
      acknowledged++;
      this.checkHolder(message, position, holders, errors);
      this.checkSenderOrder(message, position, lastOfSender, errors);
      if (storedKnown) this.checkStored(message, position, errors);
    }
    return acknowledged;
  }

  private checkDevices(
    message: number,
    position: number,
    merged: Float64Array,
    errors: ErrorList,
  ): void {
    let agreed = position;
    for (let slot = 0; slot < this.slots; slot++) {
      const there = merged[message * this.slots + slot]!;
      if (Number.isNaN(there)) {
        if (Number.isNaN(position)) continue;
        const device = this.deviceOf(message, slot);
        errors.add('lost', () => `message ${message} at ${position}: not on device ${device}`);
      } else if (Number.isNaN(agreed)) {
        agreed = there;
      } else if (there !== agreed) {
        errors.add('position_mismatch', () => `message ${message}: ${agreed} and ${there}`);
      }
    }
  }

  /** Positions are unique within a conversation: it stays in one partition. */
  private checkHolder(
    message: number,
    position: number,
    holders: Map<number, number>,
    errors: ErrorList,
  ): void {
    const conversations = this.conversationOf.length;
    const key = position * conversations + this.conversationOfMessage(message);
    const other = holders.get(key);
    if (other !== undefined) {
      errors.add(
        'shared_position',
        () => `messages ${other} and ${message} are both at ${position}`,
      );
    }
    holders.set(key, message);
  }

  private checkSenderOrder(
    message: number,
    position: number,
    lastOfSender: Float64Array,
    errors: ErrorList,
  ): void {
    if (this.resent.has(message)) return;
    const sender = this.sendSender.at(message);
    const before = lastOfSender[sender]!;
    if (position <= before) {
      errors.add(
        'sender_order',
        () => `device ${sender}: message ${message} at ${position}, ${before} before`,
      );
    } else lastOfSender[sender] = position;
  }

  private checkStored(message: number, position: number, errors: ErrorList): void {
    const there = this.storedAt[message]!;
    if (Number.isNaN(there)) {
      errors.add('not_stored', () => `message ${message} at ${position}`);
    } else if (there !== position) {
      errors.add('stored_elsewhere', () => `message ${message}: ${there} instead of ${position}`);
    }
  }
}
