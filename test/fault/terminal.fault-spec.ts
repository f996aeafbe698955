import type { Stack } from '../../tools/stack/stack';
import { eventually } from '../support/eventually';
import { TerminalPeople } from '../support/terminal-people';
import { KEYS } from '../support/terminal-program';
import { startTestStack } from '../support/test-stack';
import { reportFault } from './fault-run';
import { VICTIMS } from './terminal/victims';

/** However busy the program is: it ends within this, milliseconds. On a machine that does nothing else. */
const LEAVE_MS = 1_000;
/** What is under way while nobody answers. */
const UNDER_WAY = ['/people bo', '/devices', '/trace', '/block cat'];

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
});
