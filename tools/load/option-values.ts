import { StackError } from '../stack/paths';

/** More gateways than this are neither started nor looked for. */
export const MAX_GATEWAYS = 16;

/** Bounds of a whole number on the command line. */
export interface Bounds {
  fallback: number;
  min: number;
  max: number;
}

/**
 * Reads a whole number, or takes the fallback.
 * @throws StackError naming the option.
 */
export function wholeNumber(name: string, text: string | undefined, bounds: Bounds): number {
  if (text === undefined) return bounds.fallback;
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= bounds.min && value <= bounds.max) {
    return value;
  }
  throw new StackError(`--${name}: a whole number from ${bounds.min} to ${bounds.max} is expected`);
}
