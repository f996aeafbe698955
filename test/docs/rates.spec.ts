import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientFrame } from '@tidings/protocol/frames';
import { CALL_RATES, FRAME_RATES, RATES } from '@tidings/protocol/limits';

const page = readFileSync(join(__dirname, '../../docs/PROTOCOL.md'), 'utf8');
const table = page.slice(
  page.indexOf('| rate | per |'),
  page.indexOf('`invite` counts the people'),
);
const rows = [...table.matchAll(/^\| `(\w+)` \| (\w+) \| ([\d ]+) \| ([\d ]+) \| (.*) \|$/gm)];
const number = (cell: string): number => Number(cell.replaceAll(' ', ''));
/** What a row of the page names between backticks. */
const named = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((m) => m[1]!);

describe('the rates in docs/PROTOCOL.md', () => {
  it('are those of the table, with their values', () => {
    const shown = rows.map(([, name, per, burst, perMinute]) => [
      name,
      { per, burst: number(burst!), perMinute: number(perMinute!) },
    ]);
    const expected = Object.entries(RATES).map(([name, { per, burst, perMinute }]) => [
      name,
      { per, burst, perMinute },
    ]);
    expect(shown).toEqual(expected);
  });

  it('name every call and frame that counts, and no other', () => {
    const counted = (rate: string): string[] => [
      ...Object.entries(FRAME_RATES).flatMap(([frame, name]) => (name === rate ? [frame] : [])),
      ...Object.entries(CALL_RATES).flatMap(([call, names]) =>
        (names as readonly string[]).includes(rate) ? [call] : [],
      ),
    ];
    for (const [, name, , , , what] of rows) {
      expect([name, named(what!).sort()]).toEqual([name, counted(name!).sort()]);
    }
  });

  it('are said for every frame of a client', () => {
    const types = clientFrame.options.map((option) => option.shape.type.value);
    expect(Object.keys(FRAME_RATES).sort()).toEqual(types.sort());
  });

  it('are said for every call of the page', () => {
    const calls = [...page.matchAll(/`((?:GET|PUT|POST|PATCH|DELETE) \/v1[^`?]*)/g)].map(
      (m) => m[1]!,
    );
    expect([...new Set(calls)].filter((call) => !(call in CALL_RATES))).toEqual([]);
  });
});
