import { hostname, networkInterfaces } from 'node:os';

const EVERYWHERE = new Set(['0.0.0.0', '[::]']);

/**
 * The URL at which other services call this one: the setting, or else the listener's own address.
 * One that listens on all addresses is called at this machine's first address that others can
 * reach.
 */
export function internalUrl(
  setting: string | undefined,
  listener: string,
  interfaces = networkInterfaces(),
): string {
  if (setting !== undefined) return setting.replace(/\/$/, '');
  const { hostname: host, port } = new URL(listener);
  if (!EVERYWHERE.has(host)) return listener;
  const addresses = Object.values(interfaces).flatMap((some) => some ?? []);
  const own = addresses.find(({ family, internal }) => family === 'IPv4' && !internal);
  return `http://${own?.address ?? hostname()}:${port}`;
}
