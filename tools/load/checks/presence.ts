import type { HistoryEvent } from '../history';
import { listOf, type RunRecord } from './run-record';
import type { Violations } from './violations';

/** All times in nanoseconds. Clocks of services and of the harness differ by so much at most. */
const SKEW_NS = 2e9;
/** Who has been connected for so long is online to everybody, whatever part is away. */
const KNOWN_NS = 15e9;
/** A connection that nobody has ended is found to be dead within this (two heartbeats, and a lease). */
const DEAD_NS = 90e9;
/** A connection is known to the clocks so soon after it was opened. */
const FLUSH_NS = 60e9;

/** One connection: from when on it may be open, when it certainly was, and its end. */
interface Connection {
  from: number;
  openAt: number;
  until: number;
  event: number;
}

/**
 * I12: to one observer, when somebody was last seen never falls, lies not in the future and not before a
 * connection that has been open for long; who is connected is online, who has long been away is not.
 */
export function checkPresence({ events }: RunRecord, violations: Violations): void {
  const connections = connectionsOf(events);
  const last = new Map<string, { seen: number; event: number }>();
  for (const { k, f, u = '', d, x = '', v, n, t, inv = t, i } of events) {
    if (k !== 'obs' || f !== 'presence') continue;
    const own = connections.get(x) ?? [];
    const sure = own.find(({ openAt, until }) => openAt <= inv - KNOWN_NS && until >= t);
    const possible = own.some(({ from, until }) => from <= t && until >= inv - DEAD_NS);
    if (v === 'offline' && sure) {
      violations.add('seen_offline', `${x}, who is connected, is offline to ${d}`, [sure.event, i]);
    }
    if (v !== 'offline' && !possible) {
      violations.add('seen_online', `${x}, who has long been away, is ${String(v)} to ${d}`, [i]);
    }
    if (n === undefined) continue;
    const key = `${u} ${x}`;
    const before = last.get(key);
    if (before && n < before.seen) {
      const what = `${x} was last seen ${ms(before.seen - n)} ms earlier than before, by ${u}`;
      violations.add('last_seen_fell', what, [before.event, i]);
    }
    if (!before || n > before.seen) last.set(key, { seen: n, event: i });
    if (n > t + SKEW_NS) {
      violations.add('last_seen_wrong', `${x} was last seen in the future, by ${u}`, [i]);
    }
    const opened = own.filter(({ openAt }) => openAt <= inv - FLUSH_NS).at(-1);
    if (opened && n < opened.from - SKEW_NS) {
      const what = `${x} was last seen ${ms(opened.from - n)} ms before a connection of theirs, by ${u}`;
      violations.add('last_seen_wrong', what, [opened.event, i]);
    }
  }
}

const ms = (ns: number): number => Math.round(ns / 1e6);

/** By user, in the order of their begins. */
function connectionsOf(events: readonly HistoryEvent[]): Map<string, Connection[]> {
  const byUser = new Map<string, Connection[]>();
  const byName = new Map<string, Connection>();
  for (const { f, u = '', s = '', v, t, i } of events) {
    if (f !== 'socket') continue;
    if (v === 'opening') {
      const connection = { from: t, openAt: Infinity, until: Infinity, event: i };
      byName.set(s, connection);
      listOf(byUser, u).push(connection);
      continue;
    }
    const connection = byName.get(s);
    if (!connection) continue;
    if (v === 'open') connection.openAt = Math.min(connection.openAt, t);
    else connection.until = Math.min(connection.until, t);
  }
  return byUser;
}
