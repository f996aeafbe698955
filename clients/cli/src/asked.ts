import { AsyncLocalStorage } from 'node:async_hooks';
import type { OpenRoom } from './chat-parts';

/** A command, with what it is about: the person may be elsewhere when it is answered. */
export interface Asked {
  line: string;
  /** The chat that was open when it was typed; null: none. */
  room: OpenRoom | null;
  /** It opens a chat itself. */
  opens: boolean;
  /** It is done: what it has set going (a timer) does not speak for it. */
  over: boolean;
}

const storage = new AsyncLocalStorage<Asked>();

/** Carries a command out: {@link askedNow} tells of it wherever that leads, also behind an `await`. */
export async function carriedOut(asked: Asked, work: () => Promise<void>): Promise<void> {
  try {
    await storage.run(asked, work);
  } finally {
    asked.over = true;
  }
}

/** The command in whose course this is called; undefined: in that of none. */
export function askedNow(): Asked | undefined {
  const asked = storage.getStore();
  return asked?.over === true ? undefined : asked;
}
