import { Injectable } from '@nestjs/common';
import type { Receipt } from '@tidings/protocol/http';
import type { ReceiptView } from '@tidings/common/rpc/calls';
import { valuesOf } from '@tidings/common/runtime/one-by-one';
import { EVERYONE_ID } from '@tidings/protocol/ids';
import { LIMITS } from '@tidings/protocol/limits';
import type { Sql } from '../database/database';
import { Database } from '../database/database';
import { LIST, LIST_EVERYONE, RAISE, RAISE_EVERYONE, VIEW, VIEW_EVERYONE } from './receipts.sql';

/** Marks of one member; positions. */
export interface MarkRow extends Receipt {
  conversationId: string;
}

/** Marks that were raised at this time (Unix ms) or before. */
export interface RaisedRow extends MarkRow {
  at: number;
}

/** The same of an older session, which does not say when. */
export type PerhapsDatedRow = MarkRow & Partial<RaisedRow>;

interface ViewRow {
  n: number;
  delivered: string;
  read: string;
  delivered_before: string;
  unread: number | null;
  up_to: string | null;
  /** `hidden`: nothing of these marks is theirs to see. */
  members: { userId: string; seesRead: boolean; hidden: boolean }[];
}

/** Raises the marks of present members; unknown ones are left out. Gives how many rose. */
export async function raiseMarks(sql: Sql, rows: readonly RaisedRow[]): Promise<number> {
  const everybodys = rows.filter(isEveryones);
  if (everybodys.length === 0) return raiseMembers(sql, rows);
  const others = rows.filter((row) => !isEveryones(row));
  const raised = others.length === 0 ? 0 : await raiseMembers(sql, others);
  const [, ...marks] = columns(everybodys);
  return raised + (await sql.rows(RAISE_EVERYONE, marks)).length;
}

async function raiseMembers(sql: Sql, rows: readonly RaisedRow[]): Promise<number> {
  const values = valuesOf(() => {
    // One order for everybody, so that two instances do not wait for each other's rows.
    const sorted = [...rows].sort((a, b) => compare(keyOf(a), keyOf(b)));
    return [...columns(sorted), sorted.map(timeOf)];
  });
  const raised = await sql.rows(RAISE, values);
  return raised.length;
}

function isEveryones({ conversationId }: MarkRow): boolean {
  return conversationId === EVERYONE_ID;
}

/** Reads watermarks. */
@Injectable()
export class ReceiptsRepository {
  constructor(private readonly database: Database) {}

  /** Marks of the members behind `after`, by user id, as the user may see them. */
  list(
    userId: string,
    conversationId: string,
    after: string | null,
    limit: number,
  ): Promise<Receipt[]> {
    if (conversationId === EVERYONE_ID) {
      return after === null
        ? this.database.rows<Receipt>(LIST_EVERYONE, [userId])
        : Promise.resolve([]);
    }
    return this.database.rows<Receipt>(LIST, [userId, conversationId, after, limit]);
  }

  /**
   * Keeps what was read, before it is pushed. Where it cannot, the writer of the receipt log cannot either, and
   * says so: it does the same a moment later.
   */
  async keepRead(rows: readonly PerhapsDatedRow[]): Promise<void> {
    const read = rows.filter((row) => row.read !== '0');
    if (read.length === 0) return;
    const dated = read.map((row) => ({ ...row, at: row.at ?? Date.now() }));
    await raiseMarks(this.database, dated).catch(() => undefined);
  }

  /** What session pushes, aligned; null for no present member. `topic`: the conversation log. */
  async view(topic: string, rows: readonly MarkRow[]): Promise<(ReceiptView | null)[]> {
    const values = [topic, ...columns(rows)];
    const found = await this.database.rows<ViewRow>(VIEW, values);
    if (rows.some(isEveryones)) {
      found.push(...(await this.database.rows<ViewRow>(VIEW_EVERYONE, values)));
    }
    const views: (ReceiptView | null)[] = rows.map(() => null);
    for (const row of found) views[row.n - 1] = toView(row, rows[row.n - 1]!.userId);
    return views;
  }
}

function toView(row: ViewRow, userId: string): ReceiptView {
  const { delivered, read, unread, up_to, members } = row;
  const told = members.length <= LIMITS.membersInline ? members : [];
  return {
    others: told
      .filter((m) => m.userId !== userId && !m.hidden)
      .map((m) => ({ userId: m.userId, seesRead: m.seesRead })),
    delivered,
    read,
    deliveredBefore: row.delivered_before,
    ...(unread !== null && up_to !== null && { unread, upTo: up_to }),
  };
}

function columns(rows: readonly MarkRow[]): unknown[] {
  return [
    rows.map((r) => r.conversationId),
    rows.map((r) => r.userId),
    rows.map((r) => r.delivered),
    rows.map((r) => r.read),
  ];
}

/** Clocks of gateways may be ahead; what is no time at all must not hold up the log. */
function timeOf({ at }: RaisedRow): string | null {
  const ms = Math.min(Math.max(at, 0), Date.now());
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}

function keyOf({ conversationId, userId }: MarkRow): string {
  return conversationId + userId;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
