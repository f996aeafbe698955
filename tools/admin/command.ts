import { role, type AdminSession, type AdminUser } from '@tidings/protocol/admin';
import { TidingsError } from '@tidings/protocol/errors';
import { uuid } from '@tidings/protocol/ids';
import type { ActsBy, RpcInput, STORAGE_RPC } from '@tidings/common/rpc/calls';
import type { RpcClient } from '@tidings/common/rpc/rpc-client';
import { safeText } from '@tidings/common/runtime/log-safety';

export const USAGE = `npm run admin -- roles                     who has a role
npm run admin -- grant NAME ROLE           gives a role: operator, broadcaster
npm run admin -- revoke NAME ROLE          takes it; the last operator stays
npm run admin -- disable NAME              ends all that the account can do; what it wrote stays
npm run admin -- enable NAME               takes that back
npm run admin -- sessions NAME             where it is logged in
npm run admin -- end NAME [DEVICE]         logs it out, everywhere or on one device
STORAGE_URLS and CLUSTER_SECRET choose another system than the one that runs here.`;

/** The command line cannot be meant; its message is a sentence. */
export class UsageError extends Error {}

type Storage = Pick<RpcClient<typeof STORAGE_RPC>, 'call'>;
type Whom = RpcInput<typeof STORAGE_RPC, 'admin.end'>['whom'];

/** Accounts of one page. */
const PAGE = 100;

/**
 * Carries one command out; gives the lines to print.
 * @throws UsageError
 * @throws TidingsError as storage refuses it
 */
export async function runCommand(
  [command, ...rest]: readonly string[],
  storage: Storage,
  origin: string,
): Promise<string[]> {
  const by: ActsBy = { actor: null, origin };
  const taking = (least: number, most = least): string[] => {
    if (rest.length < least || rest.length > most) {
      throw new UsageError(`${command} takes ${least === 0 ? 'nothing' : 'a name'}${more(most)}`);
    }
    return [...rest];
  };
  switch (command) {
    case 'roles':
      taking(0);
      return listed(storage, by);
    case 'grant':
    case 'revoke': {
      const [name = '', given = ''] = taking(2);
      const known = role.safeParse(given);
      if (!known.success) throw new UsageError(`A role is ${role.options.join(' or ')}`);
      const granted = command === 'grant';
      const input = { by, whom: whomOf(name), role: known.data, granted };
      const { user, changed } = await storage.call('admin.role', input);
      return [`${nameOf(user)} ${roleText(granted, changed)} ${known.data}.`];
    }
    case 'disable':
    case 'enable': {
      const [name = ''] = taking(1);
      const input = { by, whom: whomOf(name) };
      const { user, changed } = await storage.call(`admin.${command}`, input);
      return [`${nameOf(user)} ${changed ? 'is' : 'was'} ${command}d${changed ? '' : ' already'}.`];
    }
    case 'sessions': {
      const [name = ''] = taking(1);
      const { user, items } = await storage.call('admin.sessions', { by, whom: whomOf(name) });
      if (items.length === 0) return [`${nameOf(user)} is logged in nowhere.`];
      return items.map(sessionLine);
    }
    case 'end': {
      const [name = '', deviceId] = taking(1, 2);
      if (deviceId !== undefined && !uuid.safeParse(deviceId).success) {
        throw new UsageError('A device is named by its id, as `sessions` shows it');
      }
      const { user, changed } = await storage.call('admin.end', {
        by,
        whom: whomOf(name),
        deviceId,
      });
      return [`${nameOf(user)} ${changed ? 'is logged out' : 'was not logged in'}.`];
    }
    default:
      throw new UsageError(command === undefined ? '' : `There is no command ${safeText(command)}`);
  }
}

async function listed(storage: Storage, by: ActsBy): Promise<string[]> {
  const lines: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await storage.call('admin.roles', { by, cursor, limit: PAGE });
    lines.push(...page.items.map(holderLine));
    cursor = page.cursor;
  } while (cursor !== undefined);
  return lines.length > 0 ? lines : ['Nobody has a role.'];
}

function holderLine(user: AdminUser): string {
  const note = user.disabledAt === undefined ? '' : `  (disabled since ${user.disabledAt})`;
  return `${nameOf(user)}  ${user.roles.join(', ')}${note}`;
}

function sessionLine({ id, name, createdAt, lastSeenAt }: AdminSession): string {
  const device = name === undefined ? '' : `  ${safeText(name)}`;
  return `${id}  since ${createdAt}  last seen ${lastSeenAt}${device}`;
}

function nameOf({ username }: AdminUser): string {
  return safeText(username);
}

function whomOf(username: string): Whom {
  return { username };
}

function roleText(granted: boolean, changed: boolean): string {
  if (changed) return granted ? 'is now' : 'is no longer';
  return granted ? 'was already' : 'was not';
}

function more(most: number): string {
  return most === 2 ? ' and one word more' : '';
}

/** What went wrong, as a sentence. */
export function failureText(error: unknown, args: readonly string[]): string {
  if (!(error instanceof TidingsError))
    return error instanceof Error ? error.message : String(error);
  switch (error.code) {
    case 'not_found':
      return `There is no account named ${safeText(args[1] ?? '')}, or it has no such device.`;
    case 'not_allowed':
      return `${error.message}.`;
    case 'unavailable':
      return 'Storage does not answer right now: nothing is certain to be done, do it again.';
    default:
      return `${error.message} (${error.code})`;
  }
}
