import type { ChangeRecord, OutboxRecord } from '../outbox-store';

/** A line of an outbox file that is needed until its id is done: a message, or a change to one. */
export type LivingLine = { add: OutboxRecord } | { change: ChangeRecord };

/** One line of an outbox file. `done`: the message or change with this id is settled. */
export type OutboxLine = LivingLine | { done: string };

/** The lines as they are written to the file. */
export function outboxText(lines: readonly OutboxLine[]): string {
  return lines.map((line) => JSON.stringify(line) + '\n').join('');
}

/** The lines of a file. Anything that is not one (a torn line, other text) is left out. */
export function readOutboxLines(text: string): OutboxLine[] {
  return text.split('\n').flatMap((line) => {
    const parsed = parseLine(line);
    return parsed ? [parsed] : [];
  });
}

function parseLine(text: string): OutboxLine | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const { add, change, done } = (value ?? {}) as Record<string, unknown>;
  if (typeof done === 'string') return { done };
  if (isChange(change)) return { change };
  return isRecord(add) ? { add } : null;
}

function isChange(value: unknown): value is ChangeRecord {
  const { changeId, messageId, conversationId, content } = (value ?? {}) as Partial<ChangeRecord>;
  const addressed = conversationId === undefined || typeof conversationId === 'string';
  const said = content === null || typeof content?.kind === 'string';
  return typeof changeId === 'string' && typeof messageId === 'string' && addressed && said;
}

function isRecord(value: unknown): value is OutboxRecord {
  const { messageId, conversationId, to, content, writtenAt } = (value ??
    {}) as Partial<OutboxRecord>;
  const addressed = typeof conversationId === 'string' || typeof to === 'string';
  const said = typeof content === 'object' && typeof content?.kind === 'string';
  return typeof messageId === 'string' && addressed && said && typeof writtenAt === 'number';
}
