import type { SavedLogin, User } from '@tidings/sdk';
import { PrivateFile } from './private-file';
import type { KnownRoom } from './rooms';

/** People, chats and gateways as an earlier run knew them: names and ids, no messages. */
export interface Known {
  users: User[];
  rooms: KnownRoom[];
  /** Addresses of gateways that the server has named. */
  servers?: string[];
}

const isRaw = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

function isUser(value: unknown): value is User {
  return isRaw(value) && typeof value['id'] === 'string' && typeof value['username'] === 'string';
}

function isLogin(value: unknown): value is SavedLogin {
  if (!isRaw(value) || !isUser(value['user'])) return false;
  const texts = ['deviceId', 'accessToken', 'refreshToken'];
  return (
    texts.every((name) => typeof value[name] === 'string') && typeof value['expiresAt'] === 'number'
  );
}

function isKnown(value: unknown): value is Known {
  if (!isRaw(value) || !Array.isArray(value['users']) || !Array.isArray(value['rooms']))
    return false;
  const { users, rooms, servers = [] } = value as Record<string, unknown[]>;
  const isRoom = (room: unknown) => isRaw(room) && typeof room['conversationId'] === 'string';
  const isAddress = (server: unknown) => typeof server === 'string';
  if (!Array.isArray(servers) || !servers.every(isAddress)) return false;
  return users!.every(isUser) && rooms!.every(isRoom);
}

/** The login of this device. Whoever reads the file acts as this user, until `/logout`. */
export function loginFile(path: string): PrivateFile<SavedLogin> {
  return new PrivateFile(path, isLogin);
}

/** What can be opened while the server is away. */
export function knownFile(path: string): PrivateFile<Known> {
  return new PrivateFile(path, isKnown);
}
