import fc from 'fast-check';
import { z } from 'zod';

/** What the definition of a schema holds, of zod's many kinds. */
interface Definition {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  element?: z.ZodType;
  options?: z.ZodType[];
  entries?: Record<string, string | number>;
  values?: unknown[];
  in?: z.ZodType;
  keyType?: z.ZodType;
  valueType?: z.ZodType;
  format?: string;
  checks?: { _zod: { def: Check } }[];
}

/** A check of a schema, of zod's many kinds. */
interface Check {
  check: string;
  format?: string;
  pattern?: RegExp;
  minimum?: number;
  maximum?: number;
  length?: number;
  /** Of `greater_than` and `less_than`. */
  value?: number;
}

/** What the checks of a schema come to. */
interface Bounds {
  minimum?: number | undefined;
  maximum?: number | undefined;
  pattern?: RegExp | undefined;
}

function boundsOf({ checks = [] }: Definition): Bounds {
  const all = checks.map(({ _zod }) => _zod.def);
  const kind = (name: string): Check | undefined => all.find(({ check }) => check === name);
  const length = kind('length_equals')?.length;
  return {
    minimum: length ?? kind('min_length')?.minimum ?? kind('greater_than')?.value,
    maximum: length ?? kind('max_length')?.maximum ?? kind('less_than')?.value,
    pattern: all.find(({ pattern }) => pattern !== undefined)?.pattern,
  };
}

const MAX_ITEMS = 3;
const MAX_CHARS = 24;
const ID = '01890a5d-ac96-774b-bcce-b302099a8057';

/** Inputs that mostly fit a schema, made from its own definition: a new schema needs nothing here. */
export function validInputs(schema: z.ZodType): fc.Arbitrary<unknown> {
  const def = schema._zod.def as unknown as Definition;
  const bounds = boundsOf(def);
  switch (def.type) {
    case 'string':
      return texts(def, bounds);
    case 'number':
      return fc.integer({
        min: Math.max(bounds.minimum ?? 0, 0),
        max: Math.min(bounds.maximum ?? 1e9, 1e9),
      });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'unknown':
    case 'any':
      return fc.jsonValue({ maxDepth: 2 });
    case 'literal':
      return fc.constantFrom(...(def.values ?? []));
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries ?? {}));
    case 'object':
      return objects(def.shape ?? {});
    case 'array': {
      const minLength = bounds.minimum ?? 0;
      return fc.array(validInputs(def.element!), {
        minLength,
        maxLength: Math.max(minLength, Math.min(bounds.maximum ?? MAX_ITEMS, MAX_ITEMS)),
      });
    }
    case 'union':
      return fc.oneof(...(def.options ?? []).map(validInputs));
    case 'default':
    case 'optional':
      return validInputs(def.innerType!);
    case 'nullable':
      return fc.option(validInputs(def.innerType!), { nil: null });
    case 'record':
      return fc.dictionary(fc.string({ maxLength: 5 }), validInputs(def.valueType!), {
        maxKeys: MAX_ITEMS,
      });
    case 'pipe':
      return validInputs(def.in!);
    case 'custom':
      // bytes of an internal call travel beside the JSON
      return fc.uint8Array({ maxLength: 8 });
    default:
      throw new Error(`say in valid-inputs.ts how a valid ${def.type} is made`);
  }
}

function texts(def: Definition, bounds: Bounds): fc.Arbitrary<string> {
  const formats = (def.checks ?? []).map(({ _zod }) => _zod.def.format);
  const format = def.format ?? formats.find((one) => one !== undefined && one !== 'regex');
  if (format === 'email') return fc.constantFrom('a@b.example', 'ann.lee+x@mail.example.org');
  if (format === 'datetime')
    return fc.constantFrom('2026-11-23T07:00:00Z', '2026-02-28T23:59:59.999Z');
  const { pattern } = bounds;
  if (pattern) {
    const unanchored = /\\p\{/.test(pattern.source);
    return unanchored
      ? fc.constantFrom('a', 'Ann Lee', 'é 👍 \u202e x')
      : fc.stringMatching(pattern);
  }
  const minLength = bounds.minimum ?? 0;
  return fc.oneof(
    // many fields that are plain text by their schema are ids, numbers or times by their use
    fc.constantFrom(ID, '1', '2026-11-23T07:00:00.000Z', `${ID},${ID}`, 'plain text'),
    fc.string({ minLength, maxLength: Math.max(minLength, MAX_CHARS) }),
  );
}

function objects(shape: Record<string, z.ZodType>): fc.Arbitrary<unknown> {
  const fields = Object.entries(shape);
  const optional = (schema: z.ZodType): boolean => schema._zod.optin === 'optional';
  return fc.record(
    Object.fromEntries(fields.map(([name, schema]) => [name, validInputs(schema)])),
    { requiredKeys: fields.filter(([, schema]) => !optional(schema)).map(([name]) => name) },
  );
}
