import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { TerminalPeople } from '../support/terminal-people';
import { KEYS, type TerminalProgram } from '../support/terminal-program';
import { startTestStack } from '../support/test-stack';

/**
 * However busy the program is: it ends within this, milliseconds. A second is what a quiet machine has to
 * keep; a program that waits for an answer that does not come needs more than ten.
 */
const LEAVE_MS = 5_000;
const GATEWAY = 'gateway-1';
/** More conversations than a page of the server has. */
const MANY = 103;
const WRONG = 'none of the passwords';
const NEW = 'something new and long';

describe('the terminal client, as its window shows it', () => {
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
  afterEach(() => people.leave());
  afterAll(async () => {
    await people?.end();
    await stop?.();
  });

  const gateway = () => stack.node(GATEWAY);

  /** Does something while the gateway takes connections but answers nothing. */
  async function whileItHangs(work: () => Promise<void>): Promise<void> {
    gateway().signal('SIGSTOP');
    try {
      await work();
    } finally {
      gateway().signal('SIGCONT');
    }
  }

  /** Does something while nobody listens at the gateway's address. */
  async function whileItIsAway(work: () => Promise<void>): Promise<void> {
    await gateway().kill();
    try {
      await work();
    } finally {
      await gateway().restart();
    }
  }

  /** What the outboxes of a person's machine have in them. */
  const keptBy = (name: string): string =>
    readdirSync(people.home(name), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('outbox.jsonl'))
      .map((path) => readFileSync(join(people.home(name), path), 'utf8'))
      .join('');

  /** Rows of the window that have a text, from the top. */
  const rowsWith = (program: TerminalProgram, text: RegExp): string[] =>
    program.window.filter((row) => text.test(row));

  it('says its rules before it asks, judges each answer, and ends by none', async () => {
    await people.watched(async () => {
      const eve = people.window('eve', { args: ['--server', stack.gatewayUrls[0]!] });
      const answers = async (question: RegExp, answer: string, then: RegExp | string) => {
        await eve.asks(question);
        eve.enter(answer);
        await eve.shows(then);
      };
      await answers(/\(n\)\? \[n\]$/, 'what', 'Please answer with l or n');
      await answers(/\(n\)\? \[n\]$/, '', /The rules:\n {2}User name .*letters and digits/);
      await answers(/^User name:$/m, 'e', 'this one has 1.');
      await answers(/^User name:$/m, 'eve the first', 'A user name has no blanks');
      await answers(/^User name:$/m, 'bob', /^Password:$/m);
      await answers(/^Password:$/m, 'short', 'this one has 5.');
      await answers(/^Password:$/m, 'a long and odd one', /^Once more:$/m);
      await answers(/^Once more:$/m, 'another one', 'These were two different ones.');
      await answers(/^Password:$/m, 'a long and odd one', /^Once more:$/m);
      await answers(/^Once more:$/m, 'a long and odd one', /^First name: \[bob\]$/m);
      await answers(/^First name: \[bob\]$/m, 'Eve', /^E-mail: \[bob@tidings.invalid\]$/m);
      await answers(/^E-mail: .*\]$/, 'nowhere', 'does not look like an e-mail address');
      await answers(/^E-mail: /m, '', 'This user name is taken.');
      // Only what was wrong is asked for again.
      await answers(/^Another user name:$/m, 'eve', /^tidings>$/m);
      await eve.shows('Hello eve.');
      expect(eve.screen).not.toContain('odd one');
    });
  });

  it('opens the list at once when it is logged in, and offers the server it knows', async () => {
    await people.watched(async () => {
      const [server] = stack.gatewayUrls as [string];
      const first = people.window('cat', { args: ['--server', server, '--user', 'cat'] });
      await first.asks('Password:');
      first.enter(ChatUser.PASSWORD);
      await first.asks(/^tidings>$/m);
      first.enter('/chat bob');
      await first.asks(/^bob>$/m);
      first.enter('here I am');
      await first.shows(/✓+ {2}here I am/);
      expect(await first.leaves(KEYS.ctrlD)).toBeLessThan(LEAVE_MS);

      const second = people.window('cat');
      await second.shows(/^ {2}1 {2}bob · (offline|last seen \d\d:\d\d) · \d\d:\d\d here I am$/m);
      second.enter('1');
      await second.shows(/✓+ {2}here I am/);
      await second.leaves(KEYS.ctrlC);

      await whileItIsAway(async () => {
        const away = people.window('cat');
        await away.shows(/^ {2}1 {2}bob$/m);
        await away.shows('offline — what you type is kept and sent later');
        away.enter('1');
        await away.asks(/^bob>$/m);
        expect(await away.leaves(KEYS.ctrlC)).toBeLessThan(LEAVE_MS);
      });

      const last = people.window('cat');
      await last.asks(/^tidings>$/m);
      last.enter('/logout');
      await last.ended;
      const asked = people.window('cat');
      await asked.shows(`Server? [${server}]`);
      asked.enter('');
      await asked.shows('Log in (l) or make a new account (n)?');
    });
  });

  it('sends pasted lines as one message, never as a command', async () => {
    await people.watched(async () => {
      const [ann, bob] = await Promise.all([people.sit('ann', 'bob'), people.sit('bob', 'ann')]);
      // otherwise a line says between the two messages that bob is not there
      await ann.shows(/^── bob · online$/m);
      ann.paste('/delete\none\n/quit');
      await ann.shows('pasted: this is a message, not a command');
      ann.type(KEYS.enter);
      ann.type(`two${KEYS.altEnter}three\\${KEYS.enter}four${KEYS.enter}`);
      await bob.shows(/ann {2}\/delete\n +one\n +\/quit\n.*ann {2}two\n +three\n +four$/m);
      await ann.shows(/you ✔✔ {2}\/delete\n +one\n +\/quit\n.*you ✔✔ {2}two\n +three\n +four$/m);
      expect(ann.over).toBe(false);
    });
  });

  // What used to block everything: a command whose answer does not come.
  const STUCK = ['/edit never done', '/password', '/people zo', '/block cat', '/devices'];
  const WAYS = [KEYS.ctrlC, KEYS.ctrlD, 'SIGTERM', 'SIGHUP'];

  it.each([
    { what: 'answers nothing', word: 'hung', during: whileItHangs },
    { what: 'is away', word: 'away', during: whileItIsAway },
  ])('takes input and is left within a second while the server $what', async ({ word, during }) => {
    await people.watched(async () => {
      const windows: { way: string; program: TerminalProgram }[] = [];
      for (const way of WAYS) windows.push({ way, program: await people.sit('ann', 'bob') });
      await Promise.all(windows.map(({ program }) => program.shows(/you ✔✔ {2}/)));
      await during(async () => {
        await Promise.all(
          windows.map(async ({ way, program }, n) => {
            for (const command of STUCK) {
              program.enter(command);
              if (command === '/password') await answersPasswords(program);
            }
            program.enter(`${word} ${n} anyway`);
            await program.shows(new RegExp(`you · {2}${word} ${n} anyway`));
            await program.shows(/── .*…/);
            program.type('half a li');
            await program.asks(/^bob> half a li$/);
            if (way === KEYS.ctrlD) program.type('\u0015');
            expect(await program.leaves(way)).toBeLessThan(LEAVE_MS);
            await program.shows(/Not sent yet: \d+\. They are kept/);
          }),
        );
      });
      // Whatever was typed there is sent by the next one, once.
      const next = await Promise.all(WAYS.map(() => people.sit('ann', 'bob')));
      await next[0]!.shows(new RegExp(`✓+ {2}${word}`));
      await eventually(() => {
        const rows = rowsWith(next[0]!, new RegExp(`you ✓+ {2}${word} \\d anyway`));
        expect(rows.map((row) => row.slice(-`${word} 0 anyway`.length)).sort()).toEqual(
          WAYS.map((_, n) => `${word} ${n} anyway`),
        );
      }, 60_000);
    });
  });

  it('/quit waits for what was typed, or says that it waits for the next start', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann', 'bob');
      gateway().signal('SIGSTOP');
      ann.enter('the last word');
      ann.enter('/quit');
      await ann.shows('leaving when all is sent');
      expect(ann.over).toBe(false);
      gateway().signal('SIGCONT');
      expect(await ann.ended).toBe(0);
      expect(ann.screen).not.toContain('Not sent yet');
      const bob = await people.sit('bob', 'ann');
      await bob.shows('ann  the last word');
      const next = await people.sit('ann', 'bob');
      await whileItIsAway(async () => {
        await next.shows('offline — ');
        next.enter('a word for later');
        await next.shows(/· {2}a word for later/);
        next.enter('/quit');
        expect(await next.ended).toBe(0);
        await next.shows('Not sent yet: 1. They are kept and sent the next time.');
      });
      await people.sit('ann', 'bob');
      // Who sat there waits longer and longer for the server; who sits down does not.
      const later = await people.sit('bob', 'ann');
      await later.shows('ann  a word for later');
    });
  });

  it('/delete and /leave say what, ask, and do it only by a yes', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann', 'bob');
      const bob = await people.sit('bob', 'ann');
      for (const text of ['stays', 'goes', 'stays too']) ann.enter(text);
      await bob.shows(/ann {2}stays\n.*ann {2}goes\n.*ann {2}stays too/);
      await ann.shows(/✓ {2}stays too/);
      const question = /^Delete your message of \d\d:\d\d "goes" for everybody\?\s\[y\/N\]$/m;
      for (const no of [KEYS.enter, `n${KEYS.enter}`, KEYS.escape]) {
        ann.enter('/delete 2');
        await ann.asks(question);
        ann.type(no);
        await ann.asks(/^bob>$/);
      }
      expect(rowsWith(ann, /nothing is changed/)).toHaveLength(3);
      ann.enter('/delete 2');
      await ann.asks(question);
      ann.enter('y');
      await Promise.all([ann.shows(/you ✔✔ {2}\(deleted\)/), bob.shows('ann  (deleted)')]);
      expect(rowsWith(bob, /stays/)).toHaveLength(2);

      ann.enter('/group Movers @bob @cat');
      await ann.asks(/^Movers>$/m);
      ann.enter('/leave');
      await ann.asks('Leave the group Movers? [y/N]');
      ann.enter('');
      await ann.asks(/^Movers>$/m);
      ann.enter('/leave');
      await ann.asks('Leave the group Movers? [y/N]');
      ann.enter('yes');
      await ann.asks(/^tidings>$/m);
      await ann.shows('you have left Movers');
      bob.enter('/chat Movers');
      await bob.shows('ann left');
    });
  });

  it('changes marks in their place, and keeps every line in the order of the log', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann', 'cat');
      ann.enter('first');
      ann.enter('second');
      await ann.shows(/you ✓ {2}first\n(.*later\n)?.*you ✓ {2}second/);
      const cat = await people.sit('cat');
      await ann.shows(/you ✓✓ {2}first\n(.*later\n)?.*you ✓✓ {2}second/);
      cat.enter('/chat ann');
      await ann.shows(/you ✔✔ {2}first\n(.*later\n)?.*you ✔✔ {2}second/);
      expect(rowsWith(ann, /first|second/)).toHaveLength(2);
      // An edit is seen in its place, at both.
      ann.enter('/edit second, better');
      await Promise.all([
        ann.shows(/first\n(.*later\n)?.*you ✔✔ {2}second, better \(changed\)/),
        cat.shows(/first\n.*ann {2}second, better \(changed\)/),
      ]);
      // What was written without a connection takes its place in the log, below what came before.
      await whileItIsAway(async () => {
        await ann.shows('offline — ');
        ann.enter('so late');
        await ann.shows(/you · {2}so late/);
      });
      cat.enter('by the way');
      await Promise.all([ann.shows(/✔✔ {2}so late/), ann.shows('cat  by the way')]);
      const order = (program: TerminalProgram): string[] =>
        rowsWith(program, /so late$|by the way$/).map((row) => row.slice(-9));
      await eventually(() => expect(order(cat)).toEqual(order(ann)));
    });
  });

  it('counts unread messages and rings; reads only while somebody looks', async () => {
    await people.watched(async () => {
      const [ann, bob] = await Promise.all([people.sit('ann', 'bob'), people.sit('bob', 'ann')]);
      ann.enter('all is read');
      await ann.shows(/✔✔ {2}all is read/);
      bob.enter('/chat cat');
      await bob.asks(/^cat>$/);
      const bells = bob.bells;
      ann.enter('are you there?');
      await bob.shows('new: ann 1');
      await eventually(() => expect(bob.bells).toBeGreaterThan(bells));
      bob.enter('/conversations');
      await bob.shows(/^ {2}\d {2}ann \(1 new\) · online · \d\d:\d\d are you there\?$/m);
      ann.enter('or not?');
      await bob.shows(/^ {2}\d {2}ann \(2 new\)/m);
      await ann.shows(/✓✓ {2}are you there\?\n.*✓✓ {2}or not\?/);
      // Opened by somebody who looks elsewhere: it is not read.
      bob.focus(false);
      bob.enter('/chat ann');
      await bob.shows('ann  or not?');
      ann.enter('hello?');
      await bob.shows('ann  hello?');
      await ann.shows(/✓✓ {2}hello\?/);
      await bob.shows('new: ann 3');
      bob.focus(true);
      await ann.shows(/✔✔ {2}or not\?\n.*✔✔ {2}hello\?/);
      expect(bob.screen).not.toContain('new:');
      // Scrolled away from the end: neither.
      for (let n = 0; n < 30; n++) bob.enter(`line ${n}`);
      await bob.shows(/line 29$/m);
      bob.type(KEYS.pageUp);
      await bob.shows('more below: Page Down');
      ann.enter('down here');
      await ann.shows(/✓✓ {2}down here/);
      await bob.shows('new: ann 1');
      bob.type(KEYS.pageDown);
      await ann.shows(/✔✔ {2}down here/);
    });
  });

  it('says who is here, live in the open chat and in lists', async () => {
    await people.watched(async () => {
      const other = people.user('cat');
      await people.user('ann').http('PUT', `/v1/contacts/${other.id}`);
      const ann = await people.sit('ann', 'cat');
      await ann.shows(/^── cat · (offline|last seen)/m);
      ann.enter('/contacts');
      await ann.shows(/^ {2}\d {2}cat .*· (offline|last seen.*), has not added you$/m);
      await other.http('PUT', `/v1/contacts/${people.user('ann').id}`);
      await ann.shows(/^ {2}\d {2}cat .*· (offline|last seen \d\d:\d\d)$/m);
      const cat = await people.sit('cat', 'ann');
      await ann.shows(/^── cat · online/m);
      await ann.shows(/^ {2}\d {2}cat .*· online/m);
      cat.enter('/quit');
      await ann.shows(/^── cat · last seen \d\d:\d\d/m);
      await ann.shows(/^ {2}\d {2}cat .*· last seen \d\d:\d\d/m);
    });
  });

  it('completes commands, names and paths by Tab', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann');
      mkdirSync(join(people.home('ann'), 'my pictures'), { recursive: true });
      writeFileSync(join(people.home('ann'), 'my pictures', 'a cat.txt'), 'meow');
      const completes = async (typed: string, completed: string) => {
        ann.type(typed + KEYS.tab);
        await eventually(() => expect(ann.input).toBe(`tidings> ${completed}`));
        ann.type('\u0015');
        await ann.asks(/^tidings>$/m);
      };
      await completes('/conv', '/conversations');
      await completes('/chat bo', '/chat bob');
      await completes('/people ca', '/people cat');
      await completes('/group Reading @bo', '/group Reading @bob');
      await completes('/file ~/my', '/file ~/my\\ pictures/');
      await completes('/file "~/my', '/file ~/my\\ pictures/');
      await completes('/file my\\ pictures/a', '/file my\\ pictures/a\\ cat.txt');
      ann.type(`/c${KEYS.tab}`);
      await ann.shows('/chat  /clear  /contacts  /conversations');
    });
  });

  it('reads ~, quotes and escaped blanks in paths, and saves into folders', async () => {
    await people.watched(async () => {
      const [ann, bob] = await Promise.all([people.sit('ann', 'bob'), people.sit('bob', 'ann')]);
      const at = (name: string, ...path: string[]) => join(people.home(name), ...path);
      writeFileSync(at('ann', 'the plan.txt'), 'of great use');
      mkdirSync(at('bob', 'Downloads'));
      mkdirSync(at('bob', 'in here'));
      for (const path of [
        '~/the\\ plan.txt',
        '"~/the plan.txt"',
        "'the plan.txt'",
        'the plan.txt',
      ]) {
        ann.enter(`/file ${path}`);
      }
      await ann.shows('There is no such file or folder');
      await bob.shows(/(\[file the plan\.txt[^]*){3}/);
      expect(rowsWith(bob, /\[file the plan\.txt/)).toHaveLength(3);
      bob.enter('/save 1');
      await bob.shows(/saved: file:.*\/Downloads\/the%20plan\.txt/);
      bob.enter('/save 1');
      await bob.shows(/saved: file:.*\/Downloads\/the%20plan-2\.txt/);
      bob.enter('/save 1 "in here"');
      await bob.shows(/in%20here\/the%20plan\.txt/);
      bob.enter('/save 1 in\\ here/other.txt');
      await bob.shows(/in%20here\/other\.txt/);
      for (const path of ['Downloads/the plan.txt', 'in here/the plan.txt', 'in here/other.txt']) {
        expect(readFileSync(at('bob', path), 'utf8')).toBe('of great use');
      }
    });
  });

  it('shows how far an upload is, and goes on meanwhile', async () => {
    await people.watched(async () => {
      const [ann, bob] = await Promise.all([people.sit('ann', 'bob'), people.sit('bob', 'ann')]);
      // More than the system keeps for a program that does not read.
      writeFileSync(join(people.home('ann'), 'film.zip'), Buffer.alloc(30_000_000, 'PK'));
      await whileItHangs(async () => {
        ann.enter('/file ~/film.zip');
        await ann.shows(/── .*film\.zip [1-9]\d? % of 30\.0 MB/);
        ann.enter('it is coming');
        await ann.shows(/· {2}it is coming/);
      });
      await bob.shows('[file film.zip, 30.0 MB · /save');
      await bob.shows('ann  it is coming');
      await ann.shows(/✔✔ {2}\[file film\.zip/);
      expect(ann.screen).not.toContain(' % of ');
      // Given up by Esc: nothing is sent.
      await whileItHangs(async () => {
        ann.enter('/file film.zip');
        await ann.shows(/── .*film\.zip [1-9]\d? % of/);
        ann.type(KEYS.escape);
        await ann.shows('/file: given up');
        await eventually(() => expect(ann.screen).not.toContain(' % of '));
      });
      ann.enter('only one film');
      await bob.shows('ann  only one film');
      expect(rowsWith(bob, /film\.zip/)).toHaveLength(1);
    });
  });

  it('keeps edits and deletions that were typed offline over a kill -9', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann', 'bob');
      for (const text of ['to be deleted', 'to be edited']) ann.enter(text);
      await ann.shows(/✓+ {2}to be deleted\n(.*later\n)?.*✓+ {2}to be edited/);
      await whileItIsAway(async () => {
        await ann.shows('offline — ');
        ann.enter('/edit was edited');
        ann.enter('/delete 2');
        await ann.asks(/"to be deleted" for everybody\?\s\[y\/N\]/);
        ann.enter('y');
        ann.enter('not sent yet');
        await ann.shows(/· {2}not sent yet/);
        ann.enter('/edit sent and edited');
        await ann.shows('3 changes wait');
        await eventually(() => expect(keptBy('ann')).toContain('sent and edited'));
        await ann.kill();
      });
      const again = await people.sit('ann', 'bob');
      const done =
        /✓+ {2}\(deleted\)\n(.*later\n)?.* was edited \(changed\)\n.* sent and edited \(changed\)/;
      await again.shows(done);
      const bob = await people.sit('bob', 'ann');
      await bob.shows(/\(deleted\)\n.*was edited \(changed\)\n.*sent and edited \(changed\)/);
      await eventually(() => expect(keptBy('ann')).not.toContain('edited'));
      // An end by /quit says what waits.
      await whileItIsAway(async () => {
        await again.shows('offline — ');
        again.enter('/edit for the next time');
        await again.shows('1 change waits');
        again.enter('/quit');
        expect(await again.ended).toBe(0);
        await again.shows('Not changed yet: 1. That is kept and done the next time.');
      });
      const last = await people.sit('ann', 'bob');
      await last.shows('for the next time (changed)');
    });
  });

  it('carries a command out in the chat it was typed in, and says so elsewhere', async () => {
    await people.watched(async () => {
      await people.user('ann').direct(people.user('bob'));
      const ann = await people.sit('ann');
      await ann.shows(/^ +\d+ {2}bob/m);
      ann.enter('/group Walkers @bob @cat');
      await ann.asks(/^Walkers>$/);
      ann.enter('/conversations');
      await ann.shows(/^ +1 {2}Walkers · 3 members/m);
      const [, other] = /^ +(\d+) {2}bob/m.exec(ann.screen)!;
      await whileItHangs(async () => {
        ann.enter('/title Hikers');
        ann.enter('/members');
        ann.enter(`/chat ${other}`);
        await ann.asks(/^bob>$/);
      });
      await ann.shows(
        /\/members, typed in the chat (Walk|Hik)ers:\n +ann · owner · you\n +bob\n +cat$/m,
      );
      ann.enter('/conversations');
      await ann.shows(/ {2}Hikers · 3 members/);
      expect(ann.screen).not.toContain('open a group first');
    });
  });

  it('never sends an answer that was typed before its question', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann');
      ann.enter('/group Leavers @bob');
      await ann.asks(/^Leavers>$/);
      await whileItHangs(async () => {
        ann.enter('/people zo');
        ann.enter('/leave');
        ann.enter('y');
        await ann.shows('/leave has not asked yet; "y" is not sent');
      });
      await ann.asks('Leave the group Leavers? [y/N] y');
      ann.type(KEYS.enter);
      await ann.shows('you have left Leavers');
      // All at once, as a script types: the answers go to the questions, the rest does not.
      ann.type(`/chat bob\r/password\r${WRONG}\r${NEW}\r${NEW}\rthe only message\r`);
      await ann.shows('The current password is wrong.');
      const bob = await people.sit('bob', 'ann');
      await bob.shows('ann  the only message');
      for (const secret of [WRONG, NEW]) {
        expect(ann.screen + bob.screen).not.toContain(secret);
      }
      bob.enter('/conversations');
      await bob.shows(/^ +\d+ {2}Leavers/m);
      bob.enter('/chat Leavers');
      await bob.shows('ann left');
      expect(rowsWith(bob, /ann {2}y$/)).toEqual([]);
    });
  });

  it('tells of wrong passwords in /devices', async () => {
    await people.watched(async () => {
      await expect(people.user('cat').login(WRONG)).rejects.toThrow('bad_credentials');
      const cat = await people.sit('cat');
      cat.enter('/devices');
      await cat.shows(/A wrong password was tried for your account, last \d\d:\d\d\. Not you\?/);
    });
  });

  it('lists more chats than a page has', async () => {
    await people.watched(async () => {
      await people.join('dan');
      const dan = people.user('dan');
      for (let n = 0; n < MANY; n++) {
        const body = { kind: 'group', title: `Circle ${n}`, userIds: [], requestId: randomUUID() };
        expect((await dan.http('POST', '/v1/conversations', body)).status).toBeLessThan(300);
      }
      const window = await people.sit('dan', undefined, { rows: 40 });
      await window.shows(`… ${MANY - 30} more: /conversations all`);
      await window.shows(new RegExp(`^ {2}1 {2}Circle ${MANY - 1} `, 'm'));
      window.enter('/conversations all');
      await window.shows(new RegExp(`^${MANY} {2}Circle 0 `, 'm'));
      window.enter('/chat Circle 3');
      await window.asks(/^Circle 3>$/);
    });
  });

  it('says in words what cannot be done', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann');
      ann.enter('hello');
      await ann.shows('to whom? Pick one of the list by its number, or /chat NAME');
      await ann.asks('tidings> hello');
      ann.enter('/chat bob');
      await ann.asks(/^bob>$/);
      const says = async (command: string, words: string) => {
        ann.enter(command);
        await ann.shows(words);
      };
      await says('/chat nobodyatall', 'Nobody is called nobodyatall.');
      await says('/file /no/such.txt', 'There is no such file or folder: /no/such.txt');
      await says('/file .', 'That is a folder, not a file');
      await says('/image', 'which image? /image PATH CAPTION');
      await says('/delete x', 'which one? /delete, or /delete N');
      await says('/title', 'open a group first');
      await says('/ttl soon', 'how long? /ttl 30s, 10m, 1h, 7d, 4w or off');
      await says('/ttl 1s', 'messages can stay from');
      await says('/save 99', 'No file on the screen has this number');
      await says('/frobnicate', 'There is no command /frobnicate; /help lists them.');
      await says('/password', 'Current password:');
      ann.enter('not this one');
      for (const question of [/^New password:$/m, /^Once more:$/m]) {
        await ann.asks(question);
        ann.enter('something new');
      }
      await ann.shows('The current password is wrong.');
      expect(ann.screen).not.toMatch(/[a-z]_[a-z]|Error|[{}]/);
    });
  });

  it('asks about names in /group that have no @', async () => {
    await people.watched(async () => {
      const ann = await people.sit('ann');
      const asks = async (command: string, question: RegExp, answer: string) => {
        ann.enter(command);
        await ann.asks(question);
        ann.enter(answer);
      };
      const both =
        /^Is bob and cat to be in the group Walks \(y\), or part of its\stitle \(n\)\? \[y\]$/m;
      await asks('/group Walks bob cat', both, '');
      await ann.asks(/^Walks>$/m);
      ann.enter('/members');
      await ann.shows(/^ +ann · owner · you\n +bob\n +cat$/m);
      await asks('/group Dear bob', /^Is bob to be in the group Dear/m, 'n');
      await ann.asks(/^Dear bob>$/m);
      ann.enter('/group Never bob');
      await ann.asks(/^Is bob to be in the group Never/);
      ann.type(KEYS.escape);
      await ann.asks(/^Dear bob>$/m);
      ann.enter('/conversations');
      await ann.shows(/ Dear bob · 1 members?/);
      expect(ann.screen).not.toMatch(/^ +\d+ {2}Never/m);
    });
  });
});

async function answersPasswords(program: TerminalProgram): Promise<void> {
  for (const question of ['Current password:', 'New password:', 'Once more:']) {
    await program.asks(question);
    program.enter('something long enough');
  }
  await program.asks(/^bob>$/m);
}
