import type { Provider, Type } from '@nestjs/common';
import type { Gateway } from '../gateway';

/**
 * Hands what the themes of a gateway have made to whoever of the HTTP side asks for it by its class. A class of which
 * there are two in it is handed to nobody: which one would be meant?
 */
export function providersOf(gateway: Gateway): Provider[] {
  const { backends, auth, directory, logs, sends, boot, receipts, presence } = gateway;
  const themes = [gateway, backends, auth, directory, logs, sends, boot, receipts, presence];
  const made = new Set(themes.flatMap((theme) => Object.values(theme) as unknown[]));
  const byClass = new Map<unknown, unknown[]>();
  for (const one of made) {
    if (typeof one !== 'object' || one === null || one.constructor === Object) continue;
    byClass.set(one.constructor, [...(byClass.get(one.constructor) ?? []), one]);
  }
  return [...byClass]
    .filter(([, instances]) => instances.length === 1)
    .map(([provide, [useValue]]) => ({ provide: provide as Type, useValue }));
}
