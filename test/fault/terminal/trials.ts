import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ChatUser } from '../../support/chat-user';
import { KEYS } from '../../support/terminal-program';
import type { Round, Seat, Trial } from './seat';

/** Of the file that is sent and saved. */
export const FILE_BYTES = 1_000_000;
/** How long a page of the history may take before one looks for the next, milliseconds. */
const PAGE_MS = 1_000;
/** Of who removes one: the window, the one that looks closer, and one more. */
const DEVICES = 3;
/** Messages of a chat that do not fit into its window. */
const OLD_LINES = 100;
/** How many seconds the round's lifetime has; each round another one. */
const lifetimeOf = (round: Round): number => (60 + round.number) * 60;

const says = (line: string) => (seat: Seat) => seat.window.enter(line);
const people = async (seat: Seat, path: string): Promise<string[]> => {
  const { items } = await seat.reads<{ items: { id?: string; userId?: string; user?: Named }[] }>(
    path,
  );
  return items.map(({ id, userId, user }) => userId ?? user?.id ?? id!);
};
interface Named {
  id: string;
}

const membersPath = ({ conversationId }: Seat): string =>
  `/v1/conversations/${conversationId}/members`;
const catOf = (seat: Seat): string => `${membersPath(seat)}/${seat.id('cat')}`;
const membersOf = (seat: Seat) => people(seat, `${membersPath(seat)}?limit=100`);
const called = (round: Round, what: string): string => `${what}-${round.tag.replaceAll(' ', '-')}`;

const newPassword = ({ number }: Round): string => `a new one of round ${number}`;

/** Every command of `/help`, and sending. */
export const TRIALS: readonly Trial[] = [
  {
    command: 'TEXT',
    type: ({ window }, { tag }) => {
      for (let n = 1; n <= 5; n++) window.enter(`${tag} line ${n}`);
    },
    done: ({ tag }) => new RegExp(`[✓✔]+ {2}${tag} line 5$`, 'm'),
    kept: true,
    texts: ['begins', 'one', ...[1, 2, 3, 4, 5].map((n) => `line ${n}`), 'two'],
    inEffect: (seat, { tag }) => seat.seenByBob(tag),
  },
  {
    command: '/edit',
    type: ({ window }, { tag }) => window.enter(`/edit ${tag} edited`),
    done: ({ tag }) => new RegExp(`✓+ {2}${tag} edited \\(changed\\)$`, 'm'),
    kept: true,
    texts: ['begins', 'edited', 'two'],
  },
  {
    command: '/delete',
    type: async (seat, { tag }) => {
      seat.window.enter('/delete');
      await seat.asked(new RegExp(`^Delete your message of [\\d:]+ "${tag} one"`));
      seat.window.enter('y');
      await seat.asked(/^bob>/);
    },
    done: () => /✓+ {2}\(deleted\)$/m,
    kept: true,
    texts: ['begins', 'two'],
  },
  {
    command: '/image',
    type: says('/image ~/picture.png a picture'),
    done: () => /✓+ {2}\[image .*a picture$/m,
    inEffect: (seat, round) => seat.hasOne('image', round.tag),
  },
  {
    command: '/file',
    type: says('/file ~/plan.bin'),
    done: () => /✓+ {2}\[file plan\.bin/,
    inEffect: (seat, round) => seat.hasOne('file', round.tag),
  },
  {
    command: '/save',
    begin: async (seat) => {
      mkdirSync(join(seat.home, 'saved'));
      seat.window.enter('/file ~/plan.bin');
      await seat.shown(/✓+ {2}\[file plan\.bin.*\/save 1\]/);
    },
    type: says('/save 1 saved'),
    done: () => /saved: file:/,
    inEffect: async ({ home }) => {
      const folder = join(home, 'saved');
      for (const name of readdirSync(folder)) {
        expect([name, statSync(join(folder, name)).size]).toEqual([name, FILE_BYTES]);
      }
    },
  },
  {
    command: '/ttl',
    type: ({ window }, round) => window.enter(`/ttl ${lifetimeOf(round)}s`),
    done: () => /set messages to disappear after/,
    inEffect: async (seat, round) => {
      const about = await seat.reads<object>(`/v1/conversations/${seat.conversationId}`);
      expect(about).toMatchObject({ messageTtlSeconds: lifetimeOf(round) });
    },
  },
  { command: '/read', type: says('/read'), done: () => /read by \d of \d/ },
  {
    command: '/trace',
    type: says('/trace'),
    done: () => /accepted {2}\d\d:|the server has not got it yet/,
  },
  {
    command: '/group',
    type: ({ window }, round) => window.enter(`/group ${called(round, 'Club')} @bob`),
    done: (round) => new RegExp(`^${called(round, 'Club')}>`, 'm'),
    opens: (seat, round) => seat.theOnly(called(round, 'Club')),
  },
  {
    command: '/chat',
    fresh: true,
    type: says('/chat cat'),
    done: () => /^cat>/m,
    opens: (seat) => seat.directWith('cat'),
    // its messages are there, or it says that they are not
    inEffect: async ({ window }) => expect(window.screen).not.toMatch(/^ {2}…$/m),
  },
  {
    command: '/title',
    group: true,
    type: ({ window }, round) => window.enter(`/title ${called(round, 'Title')}`),
    done: (round) => new RegExp(`named the group ${called(round, 'Title')}`),
    inEffect: async (seat, round) => {
      const about = await seat.reads<object>(`/v1/conversations/${seat.conversationId}`);
      expect(about).toMatchObject({ title: called(round, 'Title') });
    },
  },
  {
    command: '/add @A',
    group: true,
    prepare: async (seat) => {
      if ((await membersOf(seat)).includes(seat.id('cat'))) await seat.calls('DELETE', catOf(seat));
    },
    type: says('/add @cat'),
    done: () => / added cat/,
    inEffect: async (seat) => expect(await membersOf(seat)).toContain(seat.id('cat')),
  },
  {
    command: '/kick',
    group: true,
    prepare: async (seat) => {
      if (!(await membersOf(seat)).includes(seat.id('cat')))
        await seat.calls('POST', membersPath(seat), { userIds: [seat.id('cat')] });
    },
    type: says('/kick @cat'),
    done: () => / removed cat/,
    inEffect: async (seat) => expect(await membersOf(seat)).not.toContain(seat.id('cat')),
  },
  {
    command: '/role',
    group: true,
    prepare: (seat) =>
      seat.calls('PATCH', `${membersPath(seat)}/${seat.id('bob')}`, { role: 'member' }),
    type: says('/role @bob admin'),
    done: () => / made bob an admin/,
  },
  { command: '/members', group: true, type: says('/members'), done: () => / · owner · you/ },
  {
    command: '/leave',
    last: true,
    leaves: true,
    prepare: async (seat, round) => {
      const title = called(round, 'Leave');
      seat.window.enter(`/group ${title} @bob`);
      await seat.asked(new RegExp(`^${title}>`));
      seat.conversationId = await seat.theOnly(title);
    },
    type: async (seat) => {
      seat.window.enter('/leave');
      await seat.asked(/^Leave the group/);
      seat.window.enter('y');
    },
    done: () => /you have left Leave/,
    inEffect: async (seat, round) => {
      expect(await seat.groupsCalled(called(round, 'Leave'))).toEqual([]);
    },
    texts: ['begins', 'one'],
  },
  {
    command: '/add NAME',
    prepare: (seat) => seat.calls('DELETE', `/v1/contacts/${seat.id('cat')}`),
    type: says('/add cat'),
    done: () => /cat is one of your contacts now/,
    inEffect: async (seat) => expect(await people(seat, '/v1/contacts')).toContain(seat.id('cat')),
  },
  {
    command: '/contacts',
    begin: (seat) => seat.calls('PUT', `/v1/contacts/${seat.id('bob')}`),
    type: says('/contacts'),
    done: () => /^ +1 {2}bob/m,
  },
  { command: '/people', type: says('/people bo'), done: () => /^ +1 {2}bob/m },
  { command: '/conversations', type: says('/conversations'), done: () => /^ +1 {2}bob/m },
  {
    command: '/history',
    fresh: true,
    rows: 24,
    begin: async (seat) => {
      for (let n = 1; n <= OLD_LINES; n++) seat.window.enter(`old line ${n}`);
      await seat.shown(new RegExp(`✓+ {2}old line ${OLD_LINES}$`, 'm'));
    },
    type: says('/history'),
    silent: true,
    done: () => /✓+ {2}.* two$/m,
    inEffect: async ({ window }) => {
      window.type(KEYS.pageUp);
      await window.shows(/old line [1-7]\d$/m, PAGE_MS);
      window.type(KEYS.pageDown.repeat(20));
    },
  },
  { command: '/devices', type: says('/devices'), done: () => / · this one · / },
  {
    command: '/devices remove',
    prepare: async (seat) => {
      await seat.user.login();
      // a refused round leaves its device there, and an eleventh one logs the window out
      const { items } = await seat.reads<{ items: unknown[] }>('/v1/me/devices');
      if (items.length < DEVICES) await seat.user.onNewDevice(0);
      seat.window.enter('/clear');
      seat.window.enter('/devices');
      await seat.shown(/\/devices remove N logs one out/);
      seat.noteDevice();
    },
    type: ({ window, device }) => window.enter(`/devices remove ${device}`),
    done: () => / is logged out/,
  },
  {
    command: '/password',
    prepare: async (seat, round) => {
      // the round before may have changed it without an answer
      const before = newPassword({ ...round, number: round.number - 1 });
      const login = () => seat.user.login(seat.password);
      await login().catch(() => {
        seat.password = before;
        return login();
      });
    },
    type: async (seat, round) => {
      seat.window.enter('/password');
      const next = newPassword(round);
      const answers = { 'Current password:': seat.password, 'New password:': next };
      for (const [question, answer] of Object.entries({ ...answers, 'Once more:': next })) {
        await seat.asked(question);
        seat.window.enter(answer);
      }
      await seat.asked(/^bob>/);
    },
    done: () => /Your password is changed/,
    inEffect: async (seat, round) => {
      const next = newPassword(round);
      await seat.user.login(next);
      seat.password = next;
    },
  },
  {
    command: '/block',
    prepare: (seat) => seat.calls('DELETE', `/v1/blocks/${seat.id('cat')}`),
    type: says('/block cat'),
    done: () => /cat can no longer write to you/,
    inEffect: async (seat) => expect(await people(seat, '/v1/blocks')).toContain(seat.id('cat')),
  },
  {
    command: '/unblock',
    prepare: (seat) => seat.calls('PUT', `/v1/blocks/${seat.id('cat')}`),
    type: says('/unblock cat'),
    done: () => /cat can write to you again/,
    inEffect: async (seat) =>
      expect(await people(seat, '/v1/blocks')).not.toContain(seat.id('cat')),
  },
  {
    command: '/blocks',
    begin: (seat) => seat.calls('PUT', `/v1/blocks/${seat.id('cat')}`),
    type: says('/blocks'),
    done: () => /cat · since/,
  },
  {
    command: '/help, /status',
    type: ({ window }) => {
      window.enter('/help');
      window.enter('/status');
    },
    done: () => /Esc +gives up[\s\S]*Connection: [\s\S]*Not sent yet: /,
    kept: true,
  },
  {
    command: '/quit',
    fresh: true,
    last: true,
    ends: true,
    type: says('/quit'),
    // that it ends is all that it does
    done: () => /^/,
    texts: ['begins', 'one'],
  },
  {
    command: '/logout',
    fresh: true,
    last: true,
    ends: true,
    type: says('/logout'),
    done: () => /You are logged out|not sent yet: 1\. \/logout anyway drops them/,
    texts: ['begins', 'one'],
  },
];

/** A group of somebody, with bob; gives its id. */
export async function clubOf(user: ChatUser, bob: ChatUser, title: string): Promise<string> {
  const body = { kind: 'group', title, userIds: [bob.id], requestId: randomUUID() };
  const answer = await user.http<{ id: string }>('POST', '/v1/conversations', body);
  if (answer.status >= 300) throw new Error(`no group: ${JSON.stringify(answer.body)}`);
  return answer.body.id;
}
