import type { Client } from 'pg';
import type { LoadRun } from './load-run';
import type { RunPlan } from './protocol';

/** How many conversations one query reads. */
const CONVERSATIONS_PER_QUERY = 10;

export interface StoredRow {
  conversation_id: string;
  message_id: string;
  position: string;
}

/**
 * Reads the run's messages back from PostgreSQL into the ledger. `sql` takes conversation ids and
 * lowest positions as two arrays.
 */
export async function readStored(options: {
  client: Client;
  sql: string;
  run: LoadRun;
  plan: RunPlan;
}): Promise<void> {
  const { client, sql, run, plan } = options;
  const lowest = lowestPositions(run, plan);
  const ids = [...lowest.keys()];
  for (let i = 0; i < ids.length; i += CONVERSATIONS_PER_QUERY) {
    const some = ids.slice(i, i + CONVERSATIONS_PER_QUERY);
    const positions = some.map((id) => String(lowest.get(id)));
    const { rows } = await client.query<StoredRow>(sql, [some, positions]);
    for (const row of rows) note(run, plan, row);
  }
}

/** A message was found in the store. */
export function note(run: LoadRun, plan: RunPlan, row: StoredRow): void {
  const message = run.messageOf(row.message_id);
  if (message < 0) return;
  const conversation = run.ledger.conversationOfMessage(message);
  if (plan.conversations[conversation]?.conversationId !== row.conversation_id) {
    run.ledger.invented(`message ${message} is stored in another conversation`);
  } else run.ledger.stored(message, Number(row.position));
}

/** The lowest position that was acknowledged, by conversation. */
export function lowestPositions(run: LoadRun, plan: RunPlan): Map<string, number> {
  const lowest = new Map<string, number>();
  for (let message = 0; message < run.ledger.sent; message++) {
    const position = run.ledger.positionOf(message);
    if (Number.isNaN(position)) continue;
    const id = plan.conversations[run.ledger.conversationOfMessage(message)]!.conversationId;
    if (!((lowest.get(id) ?? Infinity) <= position)) lowest.set(id, position);
  }
  return lowest;
}
