import type { z } from 'zod';
import type { FieldError } from './errors';

/** Wrong fields that an answer names, and how long each may be, in characters. */
const MAX_ERRORS = 20;
const MAX_CHARS = 200;

/**
 * What a schema found wrong, field by field. Bounded: names of fields are the sender's, and a list of
 * thousand wrong ids would be answered with a thousand sentences.
 */
export function fieldErrors(error: z.ZodError): FieldError[] {
  return error.issues.slice(0, MAX_ERRORS).map(({ path, message }) => ({
    path: cut(path.map(String).join('.')),
    message: cut(message),
  }));
}

/** One of them as a sentence. */
export function fieldErrorText({ path, message }: FieldError): string {
  return path === '' ? message : `${path}: ${message}`;
}

function cut(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
