import type { PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { TidingsError } from '../contracts/errors';

/** Parses a body or query with a schema; what does not fit becomes `invalid_request` by field. */
export class ZodPipe<S extends z.ZodType> implements PipeTransform<unknown, z.output<S>> {
  constructor(private readonly schema: S) {}

  transform(value: unknown): z.output<S> {
    const parsed = this.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const errors = parsed.error.issues.map((issue) => ({
      path: issue.path.join('.'),
      message: issue.message,
    }));
    const first = errors[0]!;
    const detail = first.path ? `${first.path}: ${first.message}` : first.message;
    throw new TidingsError('invalid_request', { errors, detail });
  }
}
