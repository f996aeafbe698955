import { statSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { TOPICS } from '@tidings/common/contracts/topics';
import { createKafka } from '@tidings/common/kafka/client';
import { LogOffsets } from '@tidings/common/kafka/log-offsets';
import type { Stack } from '../../tools/stack/stack';
import { eventually } from './eventually';
import { filesBelow } from './uploads';

const REST_WITHIN_MS = 30_000;
const REST_PAUSE_MS = 500;

const TABLES = `SELECT format('%I.%I', table_schema, table_name) AS name
  FROM information_schema.tables
  WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`;

/**
 * What a request can leave behind: rows of any table, records of the log, files of uploads and of
 * spools. Two looks are equal when nothing was left between them.
 */
export class LeftBehind {
  private readonly sql: Client;
  private readonly offsets: LogOffsets;

  private constructor(private readonly stack: Stack) {
    this.sql = new Client({ connectionString: stack.databaseUrl });
    const kafka = createKafka({ brokers: stack.brokers.split(','), clientId: 'left-behind' });
    this.offsets = new LogOffsets(kafka);
  }

  static async of(stack: Stack): Promise<LeftBehind> {
    const looker = new LeftBehind(stack);
    await looker.sql.connect();
    return looker;
  }

  /** Everything as it is now. */
  async look(): Promise<{ rows: object; log: string[]; files: string[] }> {
    return { rows: await this.rows(), log: await this.log(), files: this.files() };
  }

  /** Waits until nothing changes any more: what was done before is stored. */
  async rest(): Promise<void> {
    let before = '';
    await eventually(
      async () => {
        const now = JSON.stringify(await this.look());
        const same = now === before;
        before = now;
        if (!same) throw new Error('still changing');
      },
      REST_WITHIN_MS,
      REST_PAUSE_MS,
    );
  }

  /** Files of uploads and of the gateways' own folders (spools), with their sizes. */
  files(): string[] {
    return ['media', 'nodes']
      .flatMap((dir) => filesBelow(join(this.stack.dir, dir)))
      .map((path) => `${path} ${statSync(path, { throwIfNoEntry: false })?.size ?? 0}`);
  }

  async close(): Promise<void> {
    this.offsets.close();
    await this.sql.end();
  }

  private async rows(): Promise<object> {
    const { rows } = await this.sql.query<{ name: string }>(TABLES);
    const counts = rows.map(
      ({ name }) => `SELECT '${name}' AS name, count(*)::int AS n FROM ${name}`,
    );
    const found = await this.sql.query<{ name: string; n: number }>(counts.join(' UNION ALL '));
    return Object.fromEntries(found.rows.map(({ name, n }) => [name, n]));
  }

  private async log(): Promise<string[]> {
    const topics = [TOPICS.messages, TOPICS.receipts];
    const bounds = await Promise.all(topics.map((topic) => this.offsets.logBounds(topic)));
    return bounds.flat().map(({ high }) => String(high));
  }
}
