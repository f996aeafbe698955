/** A command of this project that a page shows, and what the page says it prints. */
export interface PageCommand {
  /** `npm run <script> -- …` */
  script: string;
  args: string[];
  printed: string[];
}

/** The commands in a page's `console` blocks; those that are not of this project are left out. */
export function commandsOf(page: string): PageCommand[] {
  const blocks = [...page.matchAll(/^```console\n([\s\S]*?)^```/gm)].map(([, text]) => text!);
  return blocks.flatMap((text) =>
    text
      .split(/^\$ /m)
      .slice(1)
      .flatMap((part): PageCommand[] => {
        const [command = '', ...printed] = part.trimEnd().split('\n');
        const ours = /^npm run (\S+) -- (.+)$/.exec(command);
        if (!ours) return [];
        const args = ours[2]!.split(' ').map((arg) => arg.replace(/^"(.*)"$/, '$1'));
        return [{ script: ours[1]!, args, printed: printed.filter((line) => line !== '') }];
      }),
  );
}

/** What kind of lines these are: without what differs from run to run. */
export function kindsOf(lines: readonly string[]): string[] {
  return lines.map((line) =>
    line
      .replace(/\{.*/, '{}')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replace(/(?<![\w-])[\w-]{43}(?![\w-])/g, 'CONVERSATION')
      .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'UUID')
      .replace(/\bby \S+@[\w.-]+/g, 'by SOMEBODY')
      .replace(/(?:storage-writer|session-routing),(?:storage-writer|session-routing)/g, 'BOTH')
      .replace(/(?<=^|\s)(?:-|\d[\d.]*)(?=\s|$)/g, 'N')
      .replace(/\/\d+(?=\/|\b)/g, '/N')
      .replace(/\b\d+@\d+\b/g, 'N@N')
      .replace(/\bce_source: \S+/, 'ce_source: NODE')
      .replace(/\s+/g, ' ')
      .trim(),
  );
}
