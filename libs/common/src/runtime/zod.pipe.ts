import type { PipeTransform } from '@nestjs/common';
import type { z } from 'zod';
import { TidingsError } from '@tidings/protocol/errors';
import { fieldErrors, fieldErrorText } from '@tidings/protocol/field-errors';

/**
 * Parses a body or query with a schema. Whatever does not fit becomes `invalid_request`, by field.
 */
export class ZodPipe<S extends z.ZodType> implements PipeTransform<unknown, z.output<S>> {
  constructor(private readonly schema: S) {}

  transform(value: unknown): z.output<S> {
    const parsed = this.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const errors = fieldErrors(parsed.error);
    throw new TidingsError('invalid_request', { errors, detail: fieldErrorText(errors[0]!) });
  }
}
