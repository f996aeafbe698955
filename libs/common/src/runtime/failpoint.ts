import { pause } from './waiting';

/**
 * Named points in the code at which a test makes something happen. `TEST_FAILPOINT` is a list
 * `name:action,…` with the actions `sleepN` (milliseconds), `exit` and `throw`. Never in
 * production.
 */
const ACTIONS: ReadonlyMap<string, string> = new Map(
  process.env['NODE_ENV'] === 'production'
    ? []
    : (process.env['TEST_FAILPOINT'] ?? '')
        .split(',')
        .filter(Boolean)
        .map((entry) => entry.split(':') as [string, string]),
);

/** Whether any failpoint is set; lets hot paths skip the call. */
export const FAILPOINTS_SET = ACTIONS.size > 0;

/** Runs the action of a failpoint, if a test has set one. Throws only for the action `throw`. */
export async function failpoint(name: string): Promise<void> {
  const action = ACTIONS.get(name);
  if (action === undefined) return;
  if (action === 'exit') process.exit(86);
  if (action === 'throw') throw new Error(`failpoint ${name}`);
  const sleep = /^sleep([0-9]+)$/.exec(action);
  if (!sleep) throw new Error(`failpoint ${name}: unknown action ${action}`);
  await pause(Number(sleep[1]));
}
