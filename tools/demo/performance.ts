import { setTimeout as pause } from 'node:timers/promises';
import type { Message } from '@tidings/sdk';
import { LINE_MS, within, type Actor } from './actor';
import type { Line, Role } from './play';

/** How a play is performed. */
export interface Performance {
  lines: readonly Line[];
  actors: Record<Role, Actor>;
  conversationId: string;
  /** Pause between two lines, in milliseconds. */
  paceMs: number;
  /** Called with the number of every line, right after it was sent and before it was heard. */
  onLine: (number: number) => void;
}

/** What happened while the play was performed. */
export interface Course {
  /** Message ids in the order in which the lines were typed. */
  typed: string[];
  /** Longest time from typing a line to its showing at the other end, in milliseconds. */
  longestSilenceMs: number;
  /** Number of that line. */
  silentLine: number;
  tookMs: number;
}

const OTHER: Record<Role, Role> = { first: 'second', second: 'first' };

/** Performs a play: each line is typed when the one before has been heard at the other end. */
export async function perform(play: Performance): Promise<Course> {
  const began = performance.now();
  const course: Course = { typed: [], longestSilenceMs: 0, silentLine: 0, tookMs: 0 };
  for (const [index, line] of play.lines.entries()) {
    const number = index + 1;
    const at = performance.now();
    const { client } = play.actors[line.role];
    const { messageId } = client.send({ conversationId: play.conversationId, text: line.text });
    course.typed.push(messageId);
    play.onLine(number);
    await play.actors[OTHER[line.role]].hears(messageId, `Line ${number}`);
    const silence = performance.now() - at;
    if (silence > course.longestSilenceMs) {
      course.longestSilenceMs = silence;
      course.silentLine = number;
    }
    if (play.paceMs > 0) await pause(play.paceMs);
  }
  await Promise.all(Object.values(play.actors).map((actor) => finish(actor, course.typed)));
  course.tookMs = performance.now() - began;
  return course;
}

/** Waits until an actor has everything, own lines included, and knows that all are sent. */
async function finish(actor: Actor, typed: readonly string[]): Promise<void> {
  for (const [i, messageId] of typed.entries()) await actor.hears(messageId, `Line ${i + 1}`);
  const sent = Promise.all(actor.client.unsent.map((outgoing) => outgoing.settled()));
  await within(sent, LINE_MS, `${actor.name} could not send everything`);
  await within(actor.client.whenSynced(), LINE_MS, `${actor.name} could not sync`);
}

/**
 * Compares what somebody holds with what was typed; null when it is the same lines in the same
 * order, each once, else what is wrong first.
 */
export function difference(
  lines: readonly Line[],
  typed: readonly string[],
  userIds: Record<Role, string>,
  held: readonly Message[],
): string | null {
  const texts = held.filter((m) => m.content.kind === 'text');
  for (const [i, line] of lines.entries()) {
    const message = texts[i];
    if (!message) return `line ${i + 1} is missing`;
    const text = message.content.kind === 'text' ? message.content.text : '';
    if (message.messageId !== typed[i] || text !== line.text) return `line ${i + 1} differs`;
    if (message.senderId !== userIds[line.role]) return `line ${i + 1} has another sender`;
  }
  return texts.length > lines.length ? `${texts.length - lines.length} lines too many` : null;
}
