import { createHash } from 'node:crypto';

/** A function in the database that this version of the program calls. */
export interface SqlFunction {
  /** What it does; the same in every version of the program. */
  family: string;
  /** The family and a hash of the definition: another text is another function. */
  name: string;
  create: string;
}

/** Digits of the hash: enough that no two texts of one family ever share them. */
const HASH_DIGITS = 12;

/**
 * A function that `prepare` installs beside those of other versions, so that a service calls the text it
 * was built with and no other (decision 0033).
 *
 * @param definition all of `CREATE FUNCTION` behind the name, from the parameters on
 */
export function sqlFunction(family: string, definition: string): SqlFunction {
  const hash = createHash('sha256').update(definition).digest('hex').slice(0, HASH_DIGITS);
  const name = `${family}_${hash}`;
  return { family, name, create: `CREATE OR REPLACE FUNCTION ${name}${definition}` };
}
