import { parseArgs } from 'node:util';

export const USAGE = `npm run dlq -- list [--all] [--max n]           records that were set aside; --all: settled ones, too
npm run dlq -- show ID [--whole]                one of them in full
npm run dlq -- replay ID… | --all [--anyway]    appends it again, at the end of its log, with its own id
npm run dlq -- drop ID… --reason TEXT           it is not needed: no alert any more
An ID is the place of the record in its log, as list shows it: chat.messages.v1/3/41
KAFKA_BROKERS=host:port chooses another Kafka than the running stack's.`;

/** Lines of a list, unless told otherwise. */
const LINES = 50;

/** What to do. */
export type DlqCommand =
  | { do: 'list'; all: boolean; max: number }
  | { do: 'show'; id: string; whole: boolean }
  | { do: 'replay'; ids: string[] | 'all'; anyway: boolean }
  | { do: 'drop'; ids: string[]; reason: string };

/** The words were not understood; the message says why. */
export class DlqUsageError extends Error {
  override readonly name = 'DlqUsageError';
}

/** Reads the words behind `npm run dlq --`. @throws DlqUsageError */
export function readCommand([command, ...rest]: readonly string[]): DlqCommand {
  const { values, positionals } = wordsOf(rest);
  const { all = false, anyway = false, whole = false, max, reason } = values;
  const only = (...allowed: string[]): void => {
    const other = Object.keys(values).find((name) => !allowed.includes(name));
    if (other) throw new DlqUsageError(`${command} takes no --${other}`);
  };
  switch (command) {
    case 'list':
      only('all', 'max');
      if (positionals.length > 0) throw new DlqUsageError('list takes no ID');
      return { do: 'list', all, max: max === undefined ? LINES : numberOf(max) };
    case 'show': {
      only('whole');
      const [id, ...more] = positionals;
      if (id === undefined || more.length > 0) throw new DlqUsageError('show takes one ID');
      return { do: 'show', id, whole };
    }
    case 'replay':
      only('all', 'anyway');
      if (all === positionals.length > 0) throw new DlqUsageError('replay takes IDs or --all');
      return { do: 'replay', ids: all ? 'all' : positionals, anyway };
    case 'drop':
      only('reason');
      if (positionals.length === 0) throw new DlqUsageError('drop takes IDs');
      if (!reason?.trim()) throw new DlqUsageError('drop takes --reason TEXT: others will ask');
      return { do: 'drop', ids: positionals, reason: reason.trim() };
    default:
      throw new DlqUsageError(`Unknown command "${command ?? ''}"`);
  }
}

function wordsOf(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        all: { type: 'boolean' },
        anyway: { type: 'boolean' },
        whole: { type: 'boolean' },
        max: { type: 'string' },
        reason: { type: 'string' },
      },
    });
  } catch (error) {
    throw new DlqUsageError(error instanceof Error ? error.message : String(error));
  }
}

function numberOf(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new DlqUsageError(`--max takes a number, not "${text}"`);
}
