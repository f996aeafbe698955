import type { z } from 'zod';

/**
 * What production does without only where `ALLOW_INSECURE` names it: clear text to another host, by what
 * is there, and copies of the log on fewer brokers than can be spared.
 */
export const ALLOWANCES = [
  'kafka',
  'redis',
  'postgres',
  's3',
  'internal',
  'clients',
  'single-broker',
] as const;
/** One of {@link ALLOWANCES}. */
export type Allowance = (typeof ALLOWANCES)[number];

/**
 * What a schema's `.meta()` says about a setting. `docs/SETTINGS.md`, `.env.example` and the rules
 * below are made from it. It comes last: `.optional()` and `.default()` make a schema without one.
 */
export interface SettingFacts {
  /** What it does, in a sentence or two. */
  description: string;
  /** The unit of a number: `seconds`, `bytes`, … */
  unit?: string;
  /** What applies when it is unset, if that is not a value of the schema. */
  unset?: string;
  /**
   * Nobody outside may learn it. `key`: a random value of our own. `password`: one that another
   * server checks. `address`: a URL that may contain a password.
   */
  secret?: 'key' | 'password' | 'address';
  /** Why production does not start without it. */
  neededInProduction?: string;
  /** Production does not start with it. */
  testsOnly?: boolean;
  /** Must be set where this one is. */
  goesWith?: string;
  /** The setting that limits this number. */
  atMost?: string;
  /** `{hostname}` in it stands for the name of this machine, or container. */
  namesHost?: true;
  /** The URL that this password belongs to. */
  passwordOf?: string;
  /** An address, or several: in production not in clear text to another host, unless this is allowed. */
  clearText?: Allowance;
  /** The least number in production, unless this is allowed. */
  inProduction?: { atLeast: number; unless: Allowance };
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
