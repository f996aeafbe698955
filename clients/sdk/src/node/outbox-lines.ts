import type { OutboxRecord } from '../outbox-store';

/** One line of an outbox file: a message was added, or settled. */
export type OutboxLine = { add: OutboxRecord } | { done: string };

/** Lines as they stand in the file. */
export function outboxText(lines: readonly OutboxLine[]): string {
  return lines.map((line) => JSON.stringify(line) + '\n').join('');
}

/** The lines of a file; what is none (a torn one, something else) is left out. */
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
  const { add, done } = (value ?? {}) as { add?: unknown; done?: unknown };
  if (typeof done === 'string') return { done };
  return isRecord(add) ? { add } : null;
}

function isRecord(value: unknown): value is OutboxRecord {
  const { messageId, conversationId, to, content, writtenAt } = (value ??
    {}) as Partial<OutboxRecord>;
  const addressed = typeof conversationId === 'string' || typeof to === 'string';
  const said = typeof content === 'object' && typeof content?.kind === 'string';
  return typeof messageId === 'string' && addressed && said && typeof writtenAt === 'number';
}
