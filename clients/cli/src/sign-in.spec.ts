import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetworkError, TidingsError, type SavedLogin, type TidingsClient } from '@tidings/sdk';
import { RULES } from './answer-rules';
import { readOptions } from './options';
import { takeProfile, type Profile } from './profile';
import type { Screen } from './screen';
import { signIn } from './sign-in';
import { plain } from './style';

const LOGIN: SavedLogin = {
  user: { id: 'a', username: 'ann', firstName: 'Ann' },
  deviceId: 'd',
  accessToken: 'access',
  refreshToken: 'refresh',
  expiresAt: 1,
};

describe('signing in', () => {
  let dir: string;
  let profiles: Profile[];
  let answers: string[];
  let dialogue: string[];
  let calls: unknown[][];
  let failures: Record<string, Error[]>;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-cli-'));
    [profiles, answers, dialogue, calls, failures] = [[], [], [], [], {}];
  });
  afterEach(() => {
    for (const profile of profiles) profile.release();
    rmSync(dir, { recursive: true, force: true });
  });

  const call =
    (name: string) =>
    (...args: unknown[]): Promise<void> => {
      calls.push([name, ...args]);
      const failure = failures[name]?.shift();
      return failure ? Promise.reject(failure) : Promise.resolve();
    };

  function open(username: string) {
    const client = {
      restore: (login: SavedLogin) => calls.push(['restore', login]),
      register: call('register'),
      login: call('login'),
      api: { me: call('me') },
    } as unknown as TidingsClient;
    const profile = takeProfile(dir, 'http://server', username);
    profiles.push(profile);
    return { client, profile };
  }

  function start(args: string[], given: { env?: object; lastUser?: string; pipe?: boolean } = {}) {
    const ask = (question: string): Promise<string | null> => {
      dialogue.push(question);
      return Promise.resolve(answers.shift() ?? null);
    };
    const screen = {
      interactive: !given.pipe,
      style: plain,
      ask,
      askSecret: ask,
      print: (...lines: string[]) => dialogue.push(...lines),
    } as unknown as Screen;
    const options = readOptions(args, { ...given.env });
    const { lastUser } = given;
    return signIn({ screen, options, lastUser, open, reachable: call('reachable') });
  }

  function keep(login = LOGIN): void {
    const { profile } = open('ann');
    profile.login.write(login);
    profile.release();
    calls = [];
  }

  const refused = (code: 'username_taken' | 'email_taken' | 'bad_credentials') =>
    new TidingsError(code);

  const rules = (lines: string[]): string[] => lines.filter((line) => !RULES.includes(line));

  it('asks again only for what was wrong with a registration, and says what it asks for', async () => {
    answers = [
      'nancy',
      '',
      'ann',
      'good secret',
      'good secret',
      'Ann',
      '',
      'anne',
      'a@b.org',
      'much better',
      'much better',
    ];
    const detail = 'This password is one of the most common ones';
    failures = {
      register: [
        refused('username_taken'),
        refused('email_taken'),
        new TidingsError('weak_password', { detail }),
      ],
    };
    await start([]);
    expect(dialogue.slice(3, 3 + RULES.length)).toEqual(RULES);
    expect(rules(dialogue)).toEqual([
      'Log in (l) or make a new account (n)? [n]',
      'Please answer with l or n; names and passwords are asked after that.',
      'Log in (l) or make a new account (n)? [n]',
      'User name:',
      'Password:',
      'Once more:',
      'First name: [ann]',
      'E-mail: [ann@tidings.invalid]',
      'This user name is taken. Please choose another one.',
      'Another user name:',
      'There is an account with this e-mail address already.',
      'Another e-mail address:',
      'This password is one of the most common ones.',
      'Another password:',
      'Once more:',
    ]);
    const account = {
      username: 'anne',
      password: 'much better',
      firstName: 'Ann',
      email: 'a@b.org',
    };
    expect(calls.filter(([name]) => name === 'register').at(-1)).toEqual(['register', account]);
    expect(calls.at(-1)).toEqual(['login', expect.objectContaining({ username: 'anne' })]);
  });

  it('judges each answer as it is given', async () => {
    answers = [
      'n',
      'an',
      'ann smith',
      'a'.repeat(33),
      '...',
      'ann',
      'short',
      'ann',
      'good secret',
      'other secret',
      'good secret',
      'good secret',
      'x'.repeat(65),
      'Ann',
      'nowhere',
      'ann@example.org',
    ];
    await start([]);
    expect(rules(dialogue).slice(1)).toEqual([
      'User name:',
      'A user name has 3 to 32 characters; this one has 2.',
      'User name:',
      'A user name has no blanks: letters, digits, . _ and - only.',
      'User name:',
      'A user name has 3 to 32 characters; this one has 33.',
      'User name:',
      'A user name needs a letter or a digit.',
      'User name:',
      'Password:',
      'A password has at least 8 characters; this one has 5.',
      'Password:',
      'A password has at least 8 characters; this one has 3.',
      'Password:',
      'Once more:',
      'These were two different ones.',
      'Password:',
      'Once more:',
      'First name: [ann]',
      'At most 64 characters, please.',
      'First name: [ann]',
      'E-mail: [ann@tidings.invalid]',
      'That does not look like an e-mail address: name@example.org',
      'E-mail: [ann@tidings.invalid]',
    ]);
    expect(calls.filter(([name]) => name === 'register')).toHaveLength(1);
  });

  it('never ends by itself: it asks again after wrong passwords and while the server is away', async () => {
    answers = ['l', 'ann', ...Array.from({ length: 21 }, (_, i) => (i % 2 ? '' : 'wrong'))];
    failures = { login: Array.from({ length: 10 }, () => refused('bad_credentials')) };
    await start([]);
    expect(dialogue.slice(3, 6)).toEqual([
      'User name or password is wrong.',
      'User name: [ann]',
      'Password:',
    ]);
    expect(calls.filter(([name]) => name === 'login')).toHaveLength(11);
    profiles.pop()!.release();
    answers = ['l', 'ann', 'right', '', ''];
    failures = { login: [new NetworkError('Cannot reach it'), new TidingsError('busy')] };
    dialogue = [];
    await start([]);
    expect(dialogue.slice(3)).toEqual([
      expect.stringContaining('Cannot reach it'),
      'Enter tries again, Ctrl-C leaves.',
      'The server is busy. Please try again in a moment.',
      'Enter tries again, Ctrl-C leaves.',
    ]);
  });

  it('asks for no password when there is nobody to ask', async () => {
    failures = { reachable: [new NetworkError('Cannot reach'), new NetworkError('Cannot reach')] };
    answers = [''];
    await expect(start(['--user', 'ann'])).rejects.toThrow('Cannot reach');
    expect(dialogue.filter((line) => /Password|User/.test(line))).toEqual([]);
    await expect(start(['--user', 'ann'], { pipe: true })).rejects.toBeInstanceOf(Error);
  });

  it('goes on with the kept login, without a question', async () => {
    keep();
    await start([], { lastUser: 'ann' });
    expect(dialogue).toEqual([expect.stringMatching(/^Still logged in\. Somebody else: --user/)]);
    expect(calls).toEqual([['restore', LOGIN], ['me']]);
  });

  it.each([
    ['cannot be reached', new NetworkError('away')],
    ['cannot tell now', new TidingsError('unavailable')],
  ])('goes on with the kept login while the server %s', async (_, failure) => {
    keep();
    failures = { me: [failure] };
    const { profile } = await start(['--user', 'ann']);
    expect(dialogue).toEqual([]);
    expect(profile.login.read()).toEqual(LOGIN);
  });

  it('asks for the password when the kept login has ended', async () => {
    keep();
    failures = { me: [new TidingsError('refresh_expired')] };
    answers = ['secret'];
    const { profile } = await start(['--user', 'ann']);
    expect(dialogue).toEqual(['Your login has ended. Please log in again.', 'Password:']);
    expect(calls.at(-1)).toEqual([
      'login',
      { username: 'ann', password: 'secret', device: { id: profile.deviceId, name: 'Terminal' } },
    ]);
    expect(profile.login.read()).toBeNull();
  });

  it('takes a given password before the kept login, which serves while the server is away', async () => {
    keep();
    const env = { TIDINGS_PASSWORD: 'given' };
    await start(['--user', 'ann'], { env });
    expect(calls.at(-1)).toEqual(['login', expect.objectContaining({ password: 'given' })]);
    profiles.pop()!.release();
    failures = { login: [new NetworkError('away')] };
    await start(['--user', 'ann'], { env, pipe: true });
    expect(calls.slice(-2)).toEqual([
      ['restore', LOGIN],
      ['login', expect.anything()],
    ]);
  });

  it('asks scripts for the name, whoever was here last', async () => {
    keep();
    answers = ['l', 'ann'];
    await start([], { lastUser: 'bob', pipe: true });
    expect(dialogue.at(-1)).toBe('User name:');
  });

  it('keeps the login for its owner only, always whole, and forgets it with all the rest', () => {
    keep();
    const { profile } = open('ann');
    const path = profile.login.path;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    profile.login.write({ ...LOGIN, accessToken: 'next' });
    expect(profile.login.read()).toMatchObject({ accessToken: 'next' });
    for (const torn of ['', '{"user":', '[]', '{"user":{}}', 'null']) {
      writeFileSync(path, torn);
      expect(profile.login.read()).toBeNull();
    }
    profile.known.write({ users: [LOGIN.user], rooms: [{ conversationId: 'c' }] });
    expect(profile.known.read()).toMatchObject({ rooms: [{ conversationId: 'c' }] });
    writeFileSync(profile.outboxPath, 'text');
    profile.forget();
    expect([profile.login.read(), profile.known.read()]).toEqual([null, null]);
    expect(() => readFileSync(profile.outboxPath)).toThrow('ENOENT');
  });
});
