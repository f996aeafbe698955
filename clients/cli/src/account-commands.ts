import {
  TidingsError,
  type AccountEvent,
  type Device,
  type TidingsClient,
  type User,
} from '@tidings/sdk';
import { clockTime } from './message-lines';
import type { People } from './people';
import { safeLine } from './safe-text';
import type { Screen } from './screen';

export interface AccountCommandDeps {
  client: TidingsClient;
  screen: Screen;
  people: People;
  /** The user of a name; says so when there is none, or when it is oneself. */
  find(name: string): Promise<User | undefined>;
}

/** Commands about the account: devices, password, blocks; and remarks on what others change in it. */
export class AccountCommands {
  private listed: readonly Device[] = [];
  /** Who has added this user, as far as known here; null: not asked yet. */
  private incoming: Set<string> | null = null;

  constructor(private readonly deps: AccountCommandDeps) {
    deps.client.on('account', (event) => this.changed(event));
  }

  /** Learns who has added this user, so that only news are told. Never rejects. */
  async begin(): Promise<void> {
    const known = await this.deps.client.account.incoming().catch(() => null);
    if (known) this.incoming = new Set(known.map((user) => user.id));
  }

  /** Carries out a command; null: it is not one of these. */
  handle(name: string, argument: string): Promise<void> | null {
    switch (name) {
      case '/devices':
        return this.devices(argument.trim());
      case '/password':
        return this.password();
      case '/block':
        return this.block(argument);
      case '/unblock':
        return this.unblock(argument);
      case '/blocks':
        return this.blocks();
      default:
        return null;
    }
  }

  private async devices(argument: string): Promise<void> {
    const { screen, client } = this.deps;
    if (argument !== '') return this.remove(argument);
    const [devices, { failedLogins }] = await Promise.all([
      client.account.devices(),
      client.api.devices(),
    ]);
    this.listed = devices;
    screen.print(...this.listed.map((device, i) => this.deviceLine(i, device)));
    if (failedLogins) {
      const { count, lastAt } = failedLogins;
      const tried = count === 1 ? 'A wrong password was' : `${count} wrong passwords were`;
      screen.print(
        screen.style.bad(
          `  ${tried} tried for your account, last ${clockTime(lastAt)}. Not you? /password`,
        ),
      );
    }
    if (this.listed.length > 1) {
      screen.print(screen.style.dim('  /devices remove N logs one out'));
    }
  }

  private deviceLine(index: number, device: Device): string {
    const { bold, dim, good } = this.deps.screen.style;
    const name = bold(safeLine(device.name ?? 'unnamed device'));
    const state = device.online ? good('online') : dim(`last used ${clockTime(device.lastSeenAt)}`);
    const here = device.current ? `${dim(' · ')}this one` : '';
    const since = dim(` · since ${clockTime(device.createdAt)}`);
    return `${String(index + 1).padStart(3)}  ${name}${here}${dim(' · ')}${state}${since}`;
  }

  private async remove(argument: string): Promise<void> {
    const { screen, client } = this.deps;
    const number = /^remove\s+(\d+)$/.exec(argument)?.[1];
    const device = number === undefined ? undefined : this.listed[Number(number) - 1];
    if (!device) {
      return screen.print('Which one? /devices lists them, /devices remove N logs one out.');
    }
    if (device.current) return screen.print('That is this one; /quit leaves.');
    await client.api.removeDevice(device.id);
    screen.print(`${safeLine(device.name ?? 'The device')} is logged out.`);
    await this.devices('');
  }

  private async password(): Promise<void> {
    const { screen, client } = this.deps;
    const current = await screen.askSecret('Current password:');
    const next = current === null ? null : await screen.askSecret('New password:');
    if (current === null || next === null) return;
    if (screen.interactive && (await screen.askSecret('Once more:')) !== next) {
      return screen.print('These were two different ones; nothing is changed.');
    }
    try {
      await client.api.changePassword(current, next);
    } catch (error) {
      if (!(error instanceof TidingsError) || error.code !== 'bad_credentials') throw error;
      return screen.print(screen.style.bad('The current password is wrong.'));
    }
    screen.print('Your password is changed, and your other devices are logged out.');
  }

  private async block(name: string): Promise<void> {
    const { screen, client, people } = this.deps;
    if (name === '') return screen.print('Whom? /block NAME');
    const user = await this.deps.find(name);
    if (!user) return;
    await client.api.block(user.id);
    const who = people.name(user.id);
    screen.print(`${who} can no longer write to you, nor see when you are there. /unblock ${who}`);
  }

  private async unblock(name: string): Promise<void> {
    const { screen, client, people } = this.deps;
    if (name === '') return screen.print('Whom? /unblock NAME');
    const user = await this.deps.find(name);
    if (!user) return;
    await client.api.unblock(user.id);
    screen.print(`${people.name(user.id)} can write to you again.`);
  }

  private async blocks(): Promise<void> {
    const { screen, client, people } = this.deps;
    const { bold, dim } = screen.style;
    const blocks = await client.account.blocks();
    if (blocks.length === 0) return screen.print('You block nobody.');
    screen.print(
      ...blocks.map(({ user, blockedAt }) => {
        people.learn(user);
        return `     ${bold(people.name(user.id))}${dim(` · since ${clockTime(blockedAt)}`)}`;
      }),
    );
  }

  private changed({ changed, incoming }: AccountEvent): void {
    const { screen, people } = this.deps;
    const { dim } = screen.style;
    if (changed.includes('devices')) {
      screen.print(dim('  your devices have changed (/devices)'));
    }
    if (!incoming || !this.incoming) return;
    for (const user of incoming) {
      if (this.incoming.has(user.id)) continue;
      people.learn(user);
      const name = people.name(user.id);
      screen.print(dim(`  ${name} has added you (/add ${name})`));
    }
    this.incoming = new Set(incoming.map((user) => user.id));
  }
}
