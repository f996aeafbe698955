import type { View } from './screen';
import { rowsOf } from './width';

/** So many printed blocks are kept; the oldest go. */
const MOST_KEPT = 2_000;

interface Block {
  lines: readonly string[];
  key?: string;
}

/** Lines in the order in which they were printed. */
export class Remarks implements View {
  private blocks: Block[] = [];

  rows(columns: number, atLeast: number): string[] {
    const pieces: string[][] = [];
    let count = 0;
    for (let i = this.blocks.length - 1; i >= 0 && count < atLeast; i--) {
      const rows = this.blocks[i]!.lines.flatMap((line) => rowsOf(line, columns));
      pieces.push(rows);
      count += rows.length;
    }
    return pieces.reverse().flat();
  }

  add(lines: readonly string[], key?: string): void {
    const old = key === undefined ? undefined : this.blocks.find((block) => block.key === key);
    if (old) old.lines = lines;
    else this.blocks.push({ lines, key });
    if (this.blocks.length > MOST_KEPT) this.blocks.shift();
  }

  clear(): void {
    this.blocks = [];
  }
}
