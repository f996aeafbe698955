import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { ModulesContainer } from '@nestjs/core';
import { isAdminCall } from '@tidings/protocol/admin';
import { CALL_RATES, type RateName } from '@tidings/protocol/limits';
import { startFakeGateway, type FakeGateway } from '../testing/fake-gateway';
import { hasAuthRate } from './address-rate.guard';

let gateway: FakeGateway;

beforeAll(async () => {
  gateway = await startFakeGateway();
});

afterAll(() => gateway.app.close());

/** Every endpoint of the gateway as the table names it, and whether it is marked `@AuthRate()`. */
function endpoints(): [call: string, marked: boolean][] {
  const found: [string, boolean][] = [];
  for (const { controllers } of gateway.app.get(ModulesContainer).values()) {
    for (const { metatype } of controllers.values()) {
      const prototype = (metatype as { prototype: Record<string, object> }).prototype;
      const base = String(Reflect.getMetadata(PATH_METADATA, metatype!));
      for (const name of Object.getOwnPropertyNames(prototype)) {
        const handler = prototype[name]!;
        const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
        if (method === undefined) continue;
        const paths: unknown = Reflect.getMetadata(PATH_METADATA, handler);
        for (const path of [paths].flat()) {
          const parts = ['v1', base, String(path)].join('/').split('/').filter(Boolean);
          found.push([`${RequestMethod[method]} /${parts.join('/')}`, hasAuthRate(handler)]);
        }
      }
    }
  }
  return found;
}

describe('the endpoints of the gateway', () => {
  it('are those of the table of rates, with the upgrade', () => {
    const calls = [...endpoints().map(([call]) => call), 'GET /v1/ws'];
    const own = Object.keys(CALL_RATES).filter((call) => !isAdminCall(call));
    expect(calls.sort()).toEqual(own.sort());
  });

  it('are marked @AuthRate() where the table says `auth`, but for refreshes, of which failed ones count', () => {
    const marked = endpoints().flatMap(([call, isMarked]) => (isMarked ? [call] : []));
    const said = Object.entries(CALL_RATES).flatMap(([call, names]) =>
      (names as readonly RateName[]).includes('auth') ? [call] : [],
    );
    expect([...marked, 'POST /v1/auth/refresh'].sort()).toEqual(said.sort());
  });
});
