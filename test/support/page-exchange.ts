/** One thing that a reader of an exchange does or sees, in the order of the page. */
export type ExchangeStep =
  | { kind: 'call'; method: string; url: string; headers: Record<string, string>; body?: string }
  /** What the last call answered. */
  | { kind: 'answer'; value: unknown }
  /** A field of the last answer gets a name for the shell. */
  | { kind: 'keep'; field: string; name: string }
  | { kind: 'connect'; url: string; protocols: string[] }
  | { kind: 'close'; who: string }
  | { kind: 'type' | 'see'; who: string; frame: string };

/** Somebody who has one terminal needs no name there. */
const UNNAMED = '';

/** Reads the steps of a section of a page: shell, JSON and terminal blocks, and what is to be kept. */
export function exchangeSteps(section: string): ExchangeStep[] {
  const parts = section.matchAll(
    /^```(sh|json|console)\n([\s\S]*?)^```$|Keep `(\w+)` as `(\w+)`/gm,
  );
  return [...parts].flatMap(([, language, text = '', field, name]): ExchangeStep[] => {
    if (field !== undefined) return [{ kind: 'keep', field, name: name! }];
    if (language === 'sh') return [curlStep(text)];
    if (language === 'json') return [{ kind: 'answer', value: JSON.parse(text) as unknown }];
    return text.split('\n').flatMap(terminalStep);
  });
}

/** A `curl` command with `-s`, `-H` and `-d` alone. */
function curlStep(text: string): ExchangeStep {
  const words = [...text.replaceAll('\\\n', ' ').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, plain]) => single ?? double ?? plain!,
  );
  if (words.shift() !== 'curl') throw new Error(`no curl command: ${text}`);
  const step = { kind: 'call' as const, method: 'GET', url: '', headers: {} as Headers };
  let body: string | undefined;
  while (words.length > 0) {
    const word = words.shift()!;
    if (word === '-s') continue;
    if (word === '-H') {
      const [name, ...value] = words.shift()!.split(': ');
      step.headers[name!] = value.join(': ');
    } else if (word === '-d') body = words.shift()!;
    else step.url = word;
  }
  return body === undefined ? step : { ...step, method: 'POST', body };
}
type Headers = Record<string, string>;

function terminalStep(line: string): ExchangeStep[] {
  if (line === '') return [];
  const socket = /^\$ wscat -c (\S+)((?: -s \S+)+)$/.exec(line);
  if (socket) {
    const protocols = socket[2]!
      .trim()
      .split(/\s*-s /)
      .filter(Boolean);
    return [{ kind: 'connect', url: socket[1]!, protocols }];
  }
  const [, who = UNNAMED, mark, frame] = /^(\w*)([<>]) (.+)$/.exec(line) ?? [];
  if (frame === undefined) throw new Error(`no line of a terminal: ${line}`);
  if (frame === '^C') return [{ kind: 'close', who }];
  return [{ kind: mark === '>' ? 'type' : 'see', who, frame }];
}

/** What differs from run to run, by its form: ids, times, positions, tokens, addresses. */
const VARIES =
  /^(?:[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z|[1-9]\d*|[\w-]{22,}|[\w-]+\.[\w-]+\.[\w.-]+|ws:\/\/\S+|gateway-\d+)$/;

/** `"…"` on a page: something is left out. */
const LEFT_OUT = '…';

/** What the values that are printed on a page are in this run: equal ones there are equal ones here. */
export class Meanings {
  private readonly known: Map<string, string>;

  constructor(known: Iterable<[string, string]> = []) {
    this.known = new Map(known);
  }

  /** A text of the page with the values of this run. */
  apply(text: string): string {
    const printed = [...this.known.keys()].sort((a, b) => b.length - a.length);
    return printed.reduce((so, one) => so.replaceAll(one, this.known.get(one)!), text);
  }

  /** Frames name ids and positions in quotes, so nothing else is replaced. */
  applyQuoted(text: string): string {
    return text.replace(/"([^"]*)"/g, (quoted, value: string) => {
      const meant = this.known.get(value);
      return meant === undefined ? quoted : `"${meant}"`;
    });
  }

  /** Learns from what came; why it is not what the page says, or null: it is. */
  learn(printed: unknown, found: unknown, path = ''): string | null {
    if (typeof printed === 'string') return this.learnText(printed, found, path);
    if (Array.isArray(printed)) return this.learnList(printed, found, path);
    if (typeof printed !== 'object' || printed === null) {
      return printed === found ? null : `${path}: ${JSON.stringify(found)}`;
    }
    if (typeof found !== 'object' || found === null) return `${path}: no object`;
    const all = found as Record<string, unknown>;
    const wanted = Object.entries(printed);
    if (!(LEFT_OUT in printed)) {
      const more = Object.keys(all).filter((key) => !(key in printed));
      if (more.length > 0) return `${path}: also ${more.join(', ')}`;
    }
    for (const [key, value] of wanted) {
      if (key === LEFT_OUT) continue;
      if (!(key in all)) return `${path}.${key} is missing`;
      const fault = this.learn(value, all[key], `${path}.${key}`);
      if (fault !== null) return fault;
    }
    return null;
  }

  private learnText(printed: string, found: unknown, path: string): string | null {
    if (typeof found !== 'string') return `${path}: ${JSON.stringify(found)}`;
    // a number of connections has nothing to do with positions
    const name = path.endsWith('.connectionId') ? `connection ${printed}` : printed;
    const meant = VARIES.test(printed) ? this.known.get(name) : printed;
    if (meant !== undefined) return meant === found ? null : `${path}: ${found}, not ${meant}`;
    if (!VARIES.test(found)) return `${path}: ${found} is of another form`;
    this.known.set(name, found);
    return null;
  }

  private learnList(printed: unknown[], found: unknown, path: string): string | null {
    if (!Array.isArray(found)) return `${path}: no list`;
    const wanted = printed.filter((one) => one !== LEFT_OUT);
    const isWhole = wanted.length === printed.length;
    if (isWhole ? found.length !== wanted.length : found.length < wanted.length) {
      return `${path}: ${found.length} items`;
    }
    // Members come in the order of their ids, which are others in each run.
    const left = [...(found as unknown[])];
    for (const [n, one] of wanted.entries()) {
      const at = left.findIndex((other) => this.copy().learn(one, other) === null);
      if (at < 0) return this.learn(one, left[0], `${path}[${n}]`);
      this.learn(one, left[at]);
      left.splice(at, 1);
    }
    return null;
  }

  /** A copy, to try something with. */
  copy(): Meanings {
    return new Meanings(this.known);
  }
}
