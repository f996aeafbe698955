import type { z } from 'zod';

/**
 * What a schema's `.meta()` says of a setting; `docs/SETTINGS.md`, `.env.example` and the rules below
 * come from it. It is attached last: `.optional()` and `.default()` make a schema that has none.
 */
export interface SettingFacts {
  /** What it does, in a sentence or two. */
  description: string;
  /** Of a number: `seconds`, `bytes`, … */
  unit?: string;
  /** What counts when it is unset, where that is not a value of the schema. */
  unset?: string;
  /**
   * Nobody outside may learn it. `key`: a random value of our own; `password`: one that another
   * server checks; `address`: a URL that may have a password in it.
   */
  secret?: 'key' | 'password' | 'address';
  /** Production does not start without it; why. */
  neededInProduction?: string;
  /** Production does not start with it. */
  testsOnly?: boolean;
  /** Must be set where this one is. */
  goesWith?: string;
  /** A number may be at most what this setting says. */
  atMost?: string;
  /** The URL that this password belongs to. */
  passwordOf?: string;
}

/** The settings of a schema by name, in the schema's order. */
export function settingsOf(schema: z.ZodObject): ReadonlyMap<string, SettingFacts> {
  return new Map(
    Object.entries(schema.shape as Record<string, z.ZodType>).map(([name, type]) => [
      name,
      { description: '', ...(type.meta() as Partial<SettingFacts> | undefined) },
    ]),
  );
}
