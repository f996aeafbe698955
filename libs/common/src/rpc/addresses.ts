import type { NodeState } from '../redis/directory';

/** An instance of a service, as callers see it. */
export interface Instance {
  url: string;
  state: NodeState;
}

/** What the list of nodes says about a service. */
export interface Listed {
  /** False: Redis does not answer, and these are the last known instances. */
  known: boolean;
  instances: readonly Instance[];
}

/** Where a call may go. */
export interface Addresses {
  /** They take turns. */
  turns: string[];
  /** Asked only when none of those answers. */
  rest: string[];
}

/**
 * The instances for a call: the ready ones; if there are none, those that are joining; if there are
 * none either, the addresses from the settings. A draining one is asked only if it is the last.
 * Without Redis: the addresses from the settings and all last known instances.
 */
export function addressesOf(settings: readonly string[], listed: Listed): Addresses {
  const { known, instances } = listed;
  const of = (state: NodeState): string[] =>
    instances.filter((one) => one.state === state).map(({ url }) => trimmed(url));
  const [ready, joining, draining] = [of('ready'), of('joining'), of('draining')];
  const first = settings.map(trimmed);
  if (!known) return { turns: unique([...first, ...ready]), rest: [] };
  const all = [...ready, ...joining, ...draining];
  const unlisted = first.filter((url) => !all.includes(url));
  const [turns = [], ...others] = [ready, joining, unlisted].filter((some) => some.length > 0);
  if (turns.length === 0) return { turns: unique(draining), rest: [] };
  return { turns: unique(turns), rest: unique(others.flat()) };
}

function trimmed(url: string): string {
  return url.replace(/\/$/, '');
}

function unique(urls: readonly string[]): string[] {
  return [...new Set(urls)];
}
