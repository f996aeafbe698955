import { stdSerializers } from 'pino';

/** The longest text of a field, and of a stack, in characters. */
const MAX_CHARS = 500;
const MAX_STACK_CHARS = 4_000;
/** The most fields of an object, items of a list, and levels of nesting. */
const MAX_FIELDS = 50;
const MAX_ITEMS = 20;
const MAX_LEVELS = 5;

/**
 * Control and format characters (including bidirectional ones), line and paragraph separators, lone
 * surrogates: anything that could move a terminal's cursor, or make a line read as something else.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const UNSAFE_IN_STACK = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text for a log line: bounded, and with every unsafe character shown as `\u{…}`. */
export function safeText(text: string): string {
  return cleaned(text, MAX_CHARS, UNSAFE);
}

/**
 * The content of a log line, safe to print whoever wrote it: texts as in {@link safeText}, also
 * those of errors; lists, objects and depth bounded. Returns copies, so that redaction changes no
 * value of ours.
 */
export function safeFields(value: unknown, levels = MAX_LEVELS): unknown {
  if (typeof value === 'string') return safeText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) return '…';
  if (value instanceof Error) return safeError(value, levels);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (Array.isArray(value)) {
    const items = value.slice(0, MAX_ITEMS).map((item) => safeFields(item, levels - 1));
    if (value.length > MAX_ITEMS) items.push(`… ${value.length - MAX_ITEMS} more`);
    return items;
  }
  return safeEntries(value, levels);
}

function safeError(error: Error, levels: number): unknown {
  const { stack, ...rest } = stdSerializers.err(error) as { stack?: unknown };
  const safe = safeEntries(rest, levels);
  const safeStack = cleaned(String(stack ?? ''), MAX_STACK_CHARS, UNSAFE_IN_STACK);
  return { ...safe, stack: safeStack };
}

function safeEntries(value: object, levels: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value).slice(0, MAX_FIELDS)) {
    safe[safeText(name)] = safeFields(field, levels - 1);
  }
  return safe;
}

function cleaned(text: string, most: number, unsafe: RegExp): string {
  const cut = text.length > most ? `${text.slice(0, most)}… (${text.length} characters)` : text;
  return cut.replace(unsafe, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}
