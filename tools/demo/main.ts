import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NetworkError } from '@tidings/sdk';
import { dataDir, projectRoot } from '../stack/paths';
import { readStackFile, type StackFile } from '../stack/stack-file';
import { Actor } from './actor';
import { difference, perform, type Course } from './performance';
import { readPlay, type Line, type Role } from './play';

const USAGE = `Sends a play as two users on two gateways, kills one gateway half-way, and checks that
both ends and the history hold the same lines in the same order.

Usage: npm run demo -- [--pace MILLISECONDS] [--no-kill] [--server URL ...]`;

const HISTORY_PAGE = 50;
const PROGRESS_EVERY = 25;

interface Options {
  paceMs: number;
  kill: boolean;
  servers: string[];
}

function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      pace: { type: 'string', default: '20' },
      'no-kill': { type: 'boolean', default: false },
      server: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return null;
  const paceMs = Number(values.pace);
  if (!Number.isFinite(paceMs) || paceMs < 0) throw new Error('--pace takes milliseconds.');
  return { paceMs, kill: !values['no-kill'], servers: values.server };
}

function say(line = ''): void {
  process.stdout.write(`${line}\n`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

async function main(): Promise<number> {
  const options = readOptions();
  if (!options) {
    say(USAGE);
    return 0;
  }
  const stack = readStackFile(dataDir());
  const servers = options.servers.length > 0 ? options.servers : (stack?.gateways ?? []);
  if (servers.length === 0) {
    say('No stack is running here: start it with npm start, then run npm run demo again.');
    return 1;
  }
  const lines = readPlay(join(projectRoot(), 'tools', 'demo', 'earnest.txt'));
  const actors: Record<Role, Actor> = {
    first: await Actor.create('Algernon', servers),
    second: await Actor.create('Jack', [...servers].reverse()),
  };
  try {
    return await play(lines, actors, options, stack);
  } finally {
    await Promise.all([actors.first.client.stop(), actors.second.client.stop()]);
  }
}

async function play(
  lines: readonly Line[],
  actors: Record<Role, Actor>,
  options: Options,
  stack: StackFile | undefined,
): Promise<number> {
  const { first, second } = actors;
  const several = options.servers.length !== 1 && stack?.gateways.length !== 1;
  const apart = several && (await second.leave(first.client.gatewayId));
  say(`The Importance of Being Earnest, from Act I: ${lines.length} lines.`);
  say(`  Algernon and the ladies speak by ${first.client.gatewayId},`);
  say(`  Jack and Lane by ${second.client.gatewayId}.`);
  if (!apart) say('  (There is no second gateway, so both use this one.)');
  const { id: conversationId } = await first.client.direct(second.userId);
  // Read anew: a gateway that was started again meanwhile has another process.
  const victim = options.kill && apart ? gatewayProcess(second.client.gatewayId) : null;
  if (options.kill && !victim) say('  (No gateway can be killed from here: going on without.)');
  const half = Math.floor(lines.length / 2);
  const course = await perform({
    lines,
    actors,
    conversationId,
    paceMs: options.paceMs,
    onLine: (number) => {
      if (number === half && victim) {
        process.kill(victim.pid, 'SIGKILL');
        say(`  line ${number}: ${victim.id} killed (SIGKILL, process ${victim.pid})`);
      } else if (number % PROGRESS_EVERY === 0) {
        say(`  line ${number}`);
      }
    },
  });
  return report(lines, actors, conversationId, course, victim !== null);
}

/** The process of a gateway of this machine's stack. */
function gatewayProcess(id: string | null): { id: string; pid: number } | null {
  const nodes = readStackFile(dataDir())?.nodes ?? [];
  return nodes.find((node) => node.service === 'gateway' && node.id === id) ?? null;
}

async function report(
  lines: readonly Line[],
  actors: Record<Role, Actor>,
  conversationId: string,
  course: Course,
  killed: boolean,
): Promise<number> {
  const { first, second } = actors;
  const userIds = { first: first.userId, second: second.userId };
  const places = [
    { name: "at Algernon's end", held: first.client.messages(conversationId) },
    { name: "at Jack's end", held: second.client.messages(conversationId) },
    {
      name: 'in the history',
      held: await first.client.api.wholeHistory(conversationId, HISTORY_PAGE),
    },
  ];
  say();
  say(`  ${'typed'.padEnd(18)} ${lines.length}`);
  let same = true;
  for (const { name, held } of places) {
    const wrong = difference(lines, course.typed, userIds, held);
    const count = held.filter((m) => m.content.kind === 'text').length;
    say(`  ${name.padEnd(18)} ${count}  ${wrong ?? 'the same lines in the same order'}`);
    same &&= wrong === null;
  }
  const shownTwice = [first, second].some((a) => a.shown.length !== lines.length);
  if (shownTwice) say('  Some line was not shown exactly once.');
  const reconnects = first.reconnects + second.reconnects;
  say(`  ${'reconnects'.padEnd(18)} ${reconnects}`);
  const silence = `${seconds(course.longestSilenceMs)} (line ${course.silentLine})`;
  say(`  ${'longest silence'.padEnd(18)} ${silence}`);
  say(`  ${'took'.padEnd(18)} ${seconds(course.tookMs)}`);
  say();
  if (killed && reconnects === 0) say('Nobody had to reconnect: the kill was not felt.');
  const good = same && !shownTwice && (!killed || reconnects > 0);
  say(good ? 'OK: nothing was lost, nothing doubled, nothing out of order.' : 'FAILED: see above.');
  return good ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    const hint = error instanceof NetworkError ? ' Is the stack running? (npm start)' : '';
    process.stderr.write(`${why}${hint}\n`);
    process.exit(1);
  },
);
