const UNITS: readonly [letter: string, seconds: number, name: string][] = [
  ['w', 7 * 24 * 3600, 'week'],
  ['d', 24 * 3600, 'day'],
  ['h', 3600, 'hour'],
  ['m', 60, 'minute'],
  ['s', 1, 'second'],
];

/** `1 hour`, `90 minutes`: seconds for people, in the largest unit that divides them. */
export function lifetimeText(seconds: number): string {
  const [, unit, name] = UNITS.find(([, size]) => seconds % size === 0) ?? UNITS.at(-1)!;
  const count = seconds / unit;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** `1h`: seconds for a prompt. */
export function lifetimeShort(seconds: number): string {
  const [letter, unit] = UNITS.find(([, size]) => seconds % size === 0) ?? UNITS.at(-1)!;
  return `${seconds / unit}${letter}`;
}

/** Reads `30s`, `10 m`, `1h`, `7 days`, `off`: seconds, null for off, undefined when it is none of these. */
export function readLifetime(text: string): number | null | undefined {
  const wanted = text.trim().toLowerCase();
  if (['off', 'none', 'never'].includes(wanted)) return null;
  const [, count, letter] = /^(\d{1,9})\s*([smhdw])[a-z]*$/.exec(wanted) ?? [];
  const unit = UNITS.find(([one]) => one === letter);
  return unit && Number(count) > 0 ? Number(count) * unit[1] : undefined;
}
