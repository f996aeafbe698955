import { PassThrough } from 'node:stream';
import {
  TidingsError,
  type AccountEvent,
  type Device,
  type TidingsClient,
  type User,
} from '@tidings/sdk';
import type { FailedLogins } from '@tidings/protocol/http';
import { written } from '../testing/written';
import { AccountCommands } from './account-commands';
import { People } from './people';
import { PipeScreen } from './pipe-screen';

const BOB: User = { id: 'b', username: 'bob', firstName: 'Bob' };
const AT = new Date().toISOString();

function setUp(input: string[] = []) {
  const calls: unknown[][] = [];
  const listeners: ((event: AccountEvent) => void)[] = [];
  const world = {
    refuse: null as TidingsError | null,
    incoming: [] as User[],
    failedLogins: undefined as FailedLogins | undefined,
    devices: [
      { id: 'd1', name: 'phone', createdAt: AT, lastSeenAt: AT, current: true, online: true },
      { id: 'd2', createdAt: AT, lastSeenAt: AT, current: false, online: false },
    ] as Device[],
  };
  const call =
    (name: string) =>
    (...args: unknown[]): Promise<void> => {
      calls.push([name, ...args]);
      return world.refuse ? Promise.reject(world.refuse) : Promise.resolve();
    };
  const client = {
    on: (_name: string, listener: (event: AccountEvent) => void) => listeners.push(listener),
    api: {
      devices: () => Promise.resolve({ items: world.devices, failedLogins: world.failedLogins }),
      changePassword: call('changePassword'),
      removeDevice: (id: string) => {
        world.devices = world.devices.filter((device) => device.id !== id);
        return call('removeDevice')(id);
      },
      block: call('block'),
      unblock: call('unblock'),
    },
    account: {
      devices: () => Promise.resolve(world.devices),
      incoming: () => Promise.resolve(world.incoming),
      blocks: () => Promise.resolve([{ user: BOB, blockedAt: AT }]),
    },
  } as unknown as TidingsClient;
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  stdin.end(input.map((line) => `${line}\n`).join(''));
  const screen = new PipeScreen(stdin, stdout);
  const people = new People(client);
  people.learn(BOB);
  const find = (name: string) => Promise.resolve(name === 'bob' ? BOB : undefined);
  const commands = new AccountCommands({ client, screen, people, find });
  const tell = (event: AccountEvent) => listeners.forEach((listener) => listener(event));
  const output = () => written(stdout);
  return { commands, calls, world, tell, output };
}

describe('account commands', () => {
  it('list the devices, and log one out by its number', async () => {
    const { commands, calls, output } = setUp();
    await commands.handle('/devices', '');
    const [first, second] = output().split('\n');
    expect(first).toMatch(/^ {2}1 {2}phone · this one · online · since \d\d:\d\d$/);
    expect(second).toMatch(/^ {2}2 {2}unnamed device · last used \d\d:\d\d · since/);
    await commands.handle('/devices', 'remove 1');
    await commands.handle('/devices', 'remove 9');
    await commands.handle('/devices', 'nonsense');
    expect(calls).toEqual([]);
    await commands.handle('/devices', 'remove 2');
    expect(calls).toEqual([['removeDevice', 'd2']]);
    expect(output()).toContain('The device is logged out.');
  });

  it.each([
    [1, 'A wrong password was tried for your account, last '],
    [12, '12 wrong passwords were tried for your account, last '],
  ])('tell of %i wrong passwords', async (count, words) => {
    const { commands, world, output } = setUp();
    await commands.handle('/devices', '');
    expect(output()).not.toContain('wrong');
    world.failedLogins = { count, lastAt: AT };
    await commands.handle('/devices', '');
    expect(output()).toContain(words);
  });

  it('change the password', async () => {
    const { commands, calls, output } = setUp(['old one', 'new one']);
    await commands.handle('/password', '');
    expect(calls).toEqual([['changePassword', 'old one', 'new one']]);
    const text = output();
    expect(text).toContain('Your password is changed');
    expect(text).not.toMatch(/old one|new one/);
  });

  it('say that the current password is wrong, and leave other errors to others', async () => {
    const { commands, world, output } = setUp(['old', 'new', 'old', 'new']);
    world.refuse = new TidingsError('bad_credentials');
    await commands.handle('/password', '');
    expect(output()).toContain('The current password is wrong.');
    world.refuse = new TidingsError('weak_password');
    await expect(commands.handle('/password', '')).rejects.toThrow(world.refuse);
  });

  it('change nothing when the input ends', async () => {
    const { commands, calls } = setUp(['old one']);
    await commands.handle('/password', '');
    expect(calls).toEqual([]);
  });

  it('block, unblock and list', async () => {
    const { commands, calls, output } = setUp();
    await commands.handle('/block', 'bob');
    await commands.handle('/unblock', 'bob');
    await commands.handle('/block', 'nobody');
    await commands.handle('/block', '');
    expect(calls).toEqual([
      ['block', 'b'],
      ['unblock', 'b'],
    ]);
    await commands.handle('/blocks', '');
    expect(output()).toMatch(/bob · since \d\d:\d\d/);
    expect(commands.handle('/other', '')).toBeNull();
  });

  it('remark on new devices and on people who have added this user, once', async () => {
    const { commands, world, tell, output } = setUp();
    const eve: User = { id: 'e', username: 'eve', firstName: 'Eve' };
    world.incoming = [eve];
    await commands.begin();
    tell({ changed: ['incoming'], incoming: [eve, BOB] });
    tell({ changed: ['incoming'], incoming: [BOB] });
    tell({ changed: ['devices'] });
    expect(output()).toBe(
      '  bob has added you (/add bob)\n  your devices have changed (/devices)\n',
    );
  });
});
