import type { LoginAnswer } from '@tidings/protocol/http';
import { StackError } from '../stack/paths';
import { signUp } from './accounts';
import type { DevicePlan } from './generator/protocol';
import type { Pipeline } from './pipeline';
import { type Population, connected, conversationsOf, usersOf } from './product';

/**
 * Users and their conversations on servers of which nothing is known but their addresses: everything goes through
 * the public interface. The accounts stay, there is no call that removes one.
 * @throws StackError when nobody can register or log in
 */
export async function openServers(
  gateways: string[],
  population: Population,
  abort: AbortSignal,
): Promise<Pipeline> {
  const place = { gateways };
  const logins = await loggedIn(gateways, usersOf(population), abort);
  const all = logins.map(({ user, deviceId, accessToken }): DevicePlan => {
    return { userId: user.id, deviceId, token: accessToken, gateway: 0 };
  });
  const { devices, entrance } = await connected(place, all, population, 'all');
  return {
    subject: 'product',
    entrance,
    devices,
    conversations: await conversationsOf(place, { all, devices }, population),
    store: null,
    processes: [],
    historyUrls: gateways,
    footprint: null,
    lag: null,
    stop: () => Promise.resolve(),
  };
}

async function loggedIn(
  gateways: readonly string[],
  count: number,
  abort: AbortSignal,
): Promise<LoginAnswer[]> {
  try {
    return await signUp(gateways, count, abort);
  } catch (error) {
    abort.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StackError(`People cannot register and log in at ${gateways.join(', ')}: ${reason}`);
  }
}
