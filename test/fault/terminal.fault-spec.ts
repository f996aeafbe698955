import { COMMAND_NAMES } from '../../clients/cli/src/help';
import type { Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { TerminalPeople } from '../support/terminal-people';
import { KEYS } from '../support/terminal-program';
import { startTestStack } from '../support/test-stack';
import { reportFault } from './fault-run';
import { Room } from './terminal/room';
import { TRIALS } from './terminal/trials';
import { killedWhile, MOMENTS, VICTIMS, type Moment } from './terminal/victims';

/** However busy the program is: it ends within this, milliseconds. On a machine that does nothing else. */
const LEAVE_MS = 1_000;
/** What is under way while nobody answers. */
const UNDER_WAY = ['/people bo', '/devices', '/trace', '/block cat'];
const ROUNDS = VICTIMS.flatMap((victim) => MOMENTS.map((moment) => ({ victim, moment })));

describe('the terminal client, while a process is killed', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let people: TerminalPeople;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({
      services: { gateway: 1, session: 1, storage: 1, presence: 1 },
    }));
    people = new TerminalPeople(stack.gatewayUrls);
    await people.join('ann', 'bob', 'cat');
  }, 240_000);
  afterAll(async () => {
    await people?.end();
    await stop?.();
  }, 120_000);

  describe('one window', () => {
    afterEach(() => people.leave());

    it.each(VICTIMS)(
      '$name: Ctrl-C leaves within a second, and the next start sends what waited',
      async ({ name, of }) => {
        await people.watched(async () => {
          const bob = await people.sit('bob', 'ann');
          const ann = await people.sit('ann', 'bob');
          ann.enter(`${name} begins`);
          await bob.shows(`ann  ${name} begins`);
          const dead = of(stack).kill('SIGKILL');
          ann.enter(`${name} one`);
          for (const command of UNDER_WAY) ann.enter(command);
          await dead;
          ann.enter(`${name} two`);
          ann.enter(`/edit ${name} three`);
          await ann.shows(new RegExp(`you . {2}${name} (two|three)`));
          ann.type('half a li');
          await ann.asks('half a li');
          const leftMs = Math.round(await ann.leaves(KEYS.ctrlC));
          reportFault(`terminal: Ctrl-C, ${name} killed`, { leftMs });
          await of(stack).restart();
          const next = await people.sit('ann', 'bob');
          await next.shows(new RegExp(`(✓|✔)+ {2}${name} three`), 60_000);
          const seen = () => bob.window.flatMap((row) => row.split(`ann  ${name} `)[1] ?? []);
          await eventually(
            () => expect(seen()).toEqual(['begins', 'one', 'three (changed)']),
            60_000,
          );
          expect(leftMs).toBeLessThan(LEAVE_MS);
        });
      },
      180_000,
    );
  });

  describe('a window for each command', () => {
    let room: Room;
    let number = 0;
    beforeAll(async () => (room = await Room.open(people, TRIALS)), 240_000);

    it('is there', () => {
      const tried = TRIALS.map(({ command }) => command).join(' ');
      // `/clear` goes before each round
      const missing = COMMAND_NAMES.filter((name) => name !== '/clear' && !tried.includes(name));
      expect(missing).toEqual([]);
    });

    it.each(ROUNDS)(
      '$victim.name, typed $moment: no message is lost or doubled, no command vanishes',
      async ({ victim, moment }: { victim: (typeof VICTIMS)[number]; moment: Moment }) => {
        const round = { number: ++number, tag: `${victim.name} ${moment}` };
        await room.prepare(round);
        await killedWhile(victim.of(stack), moment, () => room.types(round));
        const outcomes = await room.judged(round);
        const refused = Object.entries(outcomes).filter(([, outcome]) => outcome !== 'done');
        reportFault(`terminal: ${victim.name} killed, typed ${moment}`, {
          done: TRIALS.length - refused.length,
          refused: Object.fromEntries(refused),
        });
      },
      240_000,
    );
  });
});
