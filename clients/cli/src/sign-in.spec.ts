import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NetworkError, TidingsError, type SavedSession, type TidingsClient } from '@tidings/sdk';
import { readOptions } from './options';
import { takeProfile, type Profile } from './profile';
import type { Screen } from './screen';
import { signIn } from './sign-in';
import { plain } from './style';

const SESSION: SavedSession = {
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
      restore: (session: SavedSession) => calls.push(['restore', session]),
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

  function keep(session = SESSION): void {
    const { profile } = open('ann');
    profile.session.write(session);
    profile.release();
    calls = [];
  }

  const refused = (code: 'username_taken' | 'email_taken' | 'weak_password' | 'bad_credentials') =>
    new TidingsError(code);

  it('asks again only for what was wrong with a registration, and says what it asks for', async () => {
    answers = [
      'nancy',
      '',
      'ann',
      'secret',
      'secret',
      'Ann',
      '',
      'anne',
      'a@b.c',
      'better',
      'better',
    ];
    failures = {
      register: [refused('username_taken'), refused('email_taken'), refused('weak_password')],
    };
    await start([]);
    expect(dialogue).toEqual([
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
      'The password is too weak (weak_password)',
      'Another password:',
      'Once more:',
    ]);
    const account = { username: 'anne', password: 'better', firstName: 'Ann', email: 'a@b.c' };
    expect(calls.filter(([name]) => name === 'register').at(-1)).toEqual(['register', account]);
    expect(calls.at(-1)).toEqual(['login', expect.objectContaining({ username: 'anne' })]);
  });

  it('offers the name again after a wrong password, and gives up some time', async () => {
    answers = ['l', 'ann', 'wrong', '', 'right'];
    failures = { login: [refused('bad_credentials')] };
    await start([]);
    expect(dialogue.slice(3)).toEqual([
      'User name or password is wrong.',
      'User name: [ann]',
      'Password:',
    ]);
    answers = ['l', 'ann', ...Array.from({ length: 20 }, (_, i) => (i % 2 ? '' : 'wrong'))];
    failures = { login: Array.from({ length: 20 }, () => refused('bad_credentials')) };
    profiles.pop()!.release();
    await expect(start([])).rejects.toMatchObject({ code: 'bad_credentials' });
  });

  it('asks for no password when there is nobody to ask', async () => {
    failures = { reachable: [new NetworkError('Cannot reach it')] };
    await expect(start(['--user', 'ann'])).rejects.toThrow('Cannot reach');
    expect(dialogue).toEqual([]);
  });

  it('goes on with the kept login, without a question but for the name', async () => {
    keep();
    answers = ['', ''];
    await start([], { lastUser: 'ann' });
    expect(dialogue).toEqual(['Log in (l) or make a new account (n)? [l]', 'User name: [ann]']);
    expect(calls).toEqual([['restore', SESSION], ['me']]);
  });

  it.each([
    ['cannot be reached', new NetworkError('away')],
    ['cannot tell now', new TidingsError('unavailable')],
  ])('goes on with the kept login while the server %s', async (_, failure) => {
    keep();
    failures = { me: [failure] };
    const { profile } = await start(['--user', 'ann']);
    expect(dialogue).toEqual([]);
    expect(profile.session.read()).toEqual(SESSION);
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
    expect(profile.session.read()).toBeNull();
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
      ['restore', SESSION],
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
    const path = profile.session.path;
    expect(statSync(path).mode & 0o777).toBe(0o600);
    profile.session.write({ ...SESSION, accessToken: 'next' });
    expect(profile.session.read()).toMatchObject({ accessToken: 'next' });
    for (const torn of ['', '{"user":', '[]', '{"user":{}}', 'null']) {
      writeFileSync(path, torn);
      expect(profile.session.read()).toBeNull();
    }
    profile.known.write({ users: [SESSION.user], rooms: [{ conversationId: 'c' }] });
    expect(profile.known.read()).toMatchObject({ rooms: [{ conversationId: 'c' }] });
    writeFileSync(profile.outboxPath, 'text');
    profile.forget();
    expect([profile.session.read(), profile.known.read()]).toEqual([null, null]);
    expect(() => readFileSync(profile.outboxPath)).toThrow('ENOENT');
  });
});
