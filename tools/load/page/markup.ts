const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Markup that is ready: everything in it that came from outside is escaped. Made by {@link markup} only. */
export class Markup {
  private constructor(private readonly text: string) {}

  static of(strings: readonly string[], values: readonly Value[]): Markup {
    return new Markup(strings.reduce((all, part, i) => all + textOf(values[i - 1]) + part));
  }

  toString(): string {
    return this.text;
  }
}

type Value = string | number | Markup | readonly Markup[] | undefined;

/** A template for HTML and SVG: what is put in is escaped, unless it is markup itself. */
export function markup(strings: TemplateStringsArray, ...values: Value[]): Markup {
  return Markup.of(strings, values);
}

function textOf(value: Value): string {
  if (value === undefined) return '';
  if (value instanceof Markup) return value.toString();
  if (typeof value === 'object') return value.map(textOf).join('');
  return String(value).replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
