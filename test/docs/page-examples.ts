interface Fence {
  language: string;
  text: string;
}

/** Code blocks of a page, in order. */
function fences(page: string): Fence[] {
  return [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((m) => ({
    language: m[1]!,
    text: m[2]!,
  }));
}

/** A call as a page prints it, with its answer. */
export interface HttpExample {
  method: string;
  path: string;
  query: Record<string, string>;
  body: unknown;
  status: number;
  answer: unknown;
}

/** `http` blocks: pairs of a call and its answer, each with its JSON below. */
export function httpExamples(page: string): HttpExample[] {
  return fences(page)
    .filter(({ language }) => language === 'http')
    .flatMap(({ text }) => {
      const parts = text.trim().split(/\n\n/);
      return Array.from({ length: parts.length / 2 }, (_, i) =>
        httpExample(parts[2 * i]!, parts[2 * i + 1]!),
      );
    });
}

function httpExample(asked: string, answered: string): HttpExample {
  const [call = '', ...lines] = asked.split('\n');
  const [method = '', target = ''] = call.split(' ');
  const [path = '', query = ''] = target.split('?');
  const [status = '', ...more] = answered.split('\n');
  if (!/^\d{3}$/.test(status)) throw new Error(`an answer of ${call} is expected: ${status}`);
  const body = lines.filter((line) => !/^[\w-]+: /.test(line));
  return {
    method,
    path,
    query: Object.fromEntries(new URLSearchParams(query)),
    body: json(body),
    status: Number(status),
    answer: json(more),
  };
}

function json(lines: readonly string[]): unknown {
  const text = lines.join('');
  return text === '' || text.startsWith('(') ? undefined : (JSON.parse(text) as unknown);
}

/** A frame as a page prints it. */
export interface FrameExample {
  from: 'client' | 'server';
  text: string;
}

/** `frames` blocks: `>` a client says, `<` the server; other lines go on with the one before. */
export function frameExamples(page: string): FrameExample[] {
  const found: FrameExample[] = [];
  const blocks = fences(page).filter(({ language }) => language === 'frames');
  for (const line of blocks.flatMap(({ text }) => text.trimEnd().split('\n'))) {
    const text = line.slice(2);
    if (line.startsWith('> ')) found.push({ from: 'client', text });
    else if (line.startsWith('< ')) found.push({ from: 'server', text });
    else found.at(-1)!.text += line.trim();
  }
  return found;
}
