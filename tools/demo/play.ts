import { readFileSync } from 'node:fs';

/** Who of the two users says a line. */
export type Role = 'first' | 'second';

/** One speech of a play. */
export interface Line {
  role: Role;
  speaker: string;
  /** The whole line as it is sent: speaker and words. */
  text: string;
}

/** Speakers of the second user; everybody else is played by the first. */
const SECOND = new Set(['JACK', 'LANE']);

/**
 * Reads a play: `SPEAKER. Words` per line; empty lines and lines that begin with `#` do not count.
 *
 * @throws Error when a line has no speaker
 */
export function parsePlay(source: string): Line[] {
  return source
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((text) => {
      const speaker = /^([A-Z][A-Z ]*)\. \S/.exec(text)?.[1];
      if (speaker === undefined) throw new Error(`No speaker: ${text.slice(0, 60)}`);
      return { role: SECOND.has(speaker) ? 'second' : 'first', speaker, text };
    });
}

/** Reads a play from a file. */
export function readPlay(path: string): Line[] {
  return parsePlay(readFileSync(path, 'utf8'));
}
