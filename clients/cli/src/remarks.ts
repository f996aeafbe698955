import type { View } from './screen';
import { rowsOf } from './width';

/** So many printed blocks are kept; the oldest go. */
const MAX_KEPT = 2_000;

/** What was printed at once. */
export interface Block {
  /** Says what it answers, where that is not clear. */
  head?: readonly string[];
  lines: readonly string[];
  key?: string;
}

/** Puts lines in the place of those of a key; false: they are not there. */
export function renewed(blocks: readonly Block[], key: string, lines: readonly string[]): boolean {
  const old = blocks.find((block) => block.key === key);
  if (old) old.lines = lines;
  return old !== undefined;
}

export function linesOf({ head = [], lines }: Block): readonly string[] {
  return head.length > 0 ? [...head, ...lines] : lines;
}

/** Lines in the order in which they were printed. */
export class Remarks implements View {
  private blocks: Block[] = [];

  rows(columns: number, atLeast: number): string[] {
    const pieces: string[][] = [];
    let count = 0;
    for (let i = this.blocks.length - 1; i >= 0 && count < atLeast; i--) {
      const rows = linesOf(this.blocks[i]!).flatMap((line) => rowsOf(line, columns));
      pieces.push(rows);
      count += rows.length;
    }
    return pieces.reverse().flat();
  }

  add(lines: readonly string[], key?: string, head?: readonly string[]): void {
    if (key !== undefined && this.renew(key, lines)) return;
    this.blocks.push({ head, lines, key });
    if (this.blocks.length > MAX_KEPT) this.blocks.shift();
  }

  renew(key: string, lines: readonly string[]): boolean {
    return renewed(this.blocks, key, lines);
  }

  clear(): void {
    this.blocks = [];
  }
}
