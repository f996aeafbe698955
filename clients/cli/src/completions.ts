import { COMMAND_NAMES } from './help';
import { completePath } from './paths';
import type { People } from './people';
import type { Rooms } from './rooms';
import type { Completion } from './screen';

/** A name that is looked for is as long as this at least. */
const LEAST_SEARCH = 2;

const NONE: Completion = { start: 0, candidates: [] };

/** What Tab makes of what is typed: commands, names of people and groups, paths. */
export class Completions {
  constructor(private readonly deps: { people: People; rooms: Rooms }) {}

  /** Completions of the text before the cursor. Never rejects. */
  async of(before: string): Promise<Completion> {
    if (/^\/[a-z]*$/.test(before)) {
      const names = COMMAND_NAMES.filter((name) => name.startsWith(before));
      return { start: 0, candidates: names.map((name) => `${name} `) };
    }
    const [, head = '', rest = ''] =
      /^(\/(?:image|file)\s+|\/save\s+\d+\s+)(.*)$/s.exec(before) ?? [];
    if (head !== '') {
      return /^\/image/.test(head) && isBehindWord(rest) ? NONE : completePath(before, head.length);
    }
    const [, at] = /(?:^|\s)@(\S*)$/u.exec(before) ?? [];
    if (at !== undefined) return this.names(before, at, []);
    const [, command, name] = /^\/(chat|add|block|unblock|people)\s+(.*)$/s.exec(before) ?? [];
    if (name === undefined) return NONE;
    return this.names(before, name, command === 'chat' ? this.titles() : []);
  }

  private titles(): string[] {
    const groups = this.deps.rooms.all().filter((room) => room.userId === undefined);
    return groups.flatMap(({ title }) => title ?? []);
  }

  private async names(
    before: string,
    begun: string,
    titles: readonly string[],
  ): Promise<Completion> {
    const { people } = this.deps;
    const start = before.length - begun.length;
    const fits = (name: string): boolean => name.toLowerCase().startsWith(begun.toLowerCase());
    const met = people.all().map(({ username }) => username);
    let found = [...met, ...titles].filter(fits);
    if (found.length === 0 && begun.length >= LEAST_SEARCH) {
      const users = await people.search(begun).catch(() => []);
      found = users.map(({ username }) => username).filter(fits);
    }
    // A name of others is typed as it is: nothing in it may be a key or a line.
    const plain = found.filter((name) => !/[\p{Cc}\p{Cf}]/u.test(name));
    return { start, candidates: [...new Set(plain)].sort().map((name) => `${name} `) };
  }
}

/** Whether the path is complete, and a caption follows. */
function isBehindWord(text: string): boolean {
  return /(?<!\\)\s/u.test(text) && !/^["']/.test(text);
}
