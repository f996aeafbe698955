import type { z } from 'zod';
import type { FieldError } from './errors';

/** How many invalid fields an answer names, and how many characters each may have. */
const MAX_ERRORS = 20;
const MAX_CHARS = 200;

/**
 * What a schema found wrong, field by field. Bounded: the names of fields come from the sender, and
 * a list of a thousand invalid ids would be answered with a thousand sentences.
 */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, MAX_ERRORS).map(({ path, message }) => ({
    path: cut(path.map(String).join('.')),
    message: cut(message),
  }));
}

/** One field error as a sentence. */
export function fieldErrorText({ path, message }: FieldError): string {
  return path === '' ? message : `${path}: ${message}`;
}

function cut(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
