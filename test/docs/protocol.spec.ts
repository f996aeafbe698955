import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { CALL_BOUNDS } from '@tidings/protocol/bounds';
import { BLOCK_TABLE } from '@tidings/protocol/blocks';
import { PRIVACY_TABLE } from '@tidings/protocol/privacy';
import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { DIGEST_VECTORS } from '@tidings/protocol/digest';
import { ERRORS } from '@tidings/protocol/errors';
import { clientFrame, parseClientFrame, serverFrame } from '@tidings/protocol/frames';
import { LIMITS, RATES, TIMINGS } from '@tidings/protocol/limits';
import { exchangeSteps } from '../support/page-exchange';
import { describeService } from '../../apps/gateway/src/http/service.controller';
import { ADMIN_CONTROLLERS } from '../../apps/gateway/src/admin.module';
import { CONTROLLERS } from '../../apps/gateway/src/http/controllers';

const page = readFileSync(join(__dirname, '../../docs/PROTOCOL.md'), 'utf8');
const paragraph = (start: string): string => {
  const from = page.indexOf(start);
  return page.slice(from, page.indexOf('\n\n', from));
};
const named = (text: string): string[] => [...text.matchAll(/^\| `([a-z]+)`/gm)].map((m) => m[1]!);

/** The upgrade: no controller answers it. */
const SOCKET_CALL = 'GET /v1/ws';

/** Every call that a controller of the gateway answers, as Nest knows it. */
function registered(): string[] {
  return [...CONTROLLERS, ...ADMIN_CONTROLLERS].flatMap((controller) => {
    const base = Reflect.getMetadata(PATH_METADATA, controller) as string;
    const methods = Object.getOwnPropertyNames(controller.prototype).map(
      (name) => (controller.prototype as unknown as Record<string, object>)[name]!,
    );
    return methods.flatMap((method) => {
      const path = Reflect.getMetadata(PATH_METADATA, method) as string | undefined;
      const verb = Reflect.getMetadata(METHOD_METADATA, method) as RequestMethod | undefined;
      if (path === undefined || verb === undefined) return [];
      const parts = ['v1', ...[base, path].map((part) => part.replaceAll('/', ' ').trim())];
      return [`${RequestMethod[verb]} /${parts.filter(Boolean).join(' ').replaceAll(' ', '/')}`];
    });
  });
}

describe('docs/PROTOCOL.md agrees with the schemas', () => {
  it('lists every error code and no other, and marks the retryable ones', () => {
    const text = paragraph('**Error codes**');
    const listed = [...text.matchAll(/`([a-z_]+)`(\*?)/g)].map((m) => [m[1]!, m[2] === '*']);
    const expected = Object.entries(ERRORS).map(([code, e]) => [code, e.retryable]);
    expect(listed.sort()).toEqual(expected.sort());
  });

  it('lists every frame type and no other', () => {
    const client = page.slice(page.indexOf('Client → server'), page.indexOf('Server → client'));
    const server = page.slice(page.indexOf('Server → client'), page.indexOf('`previous` is the'));
    expect(named(client).sort()).toEqual(clientFrame.options.map((o) => o.shape.type.value).sort());
    expect(named(server).sort()).toEqual(serverFrame.options.map((o) => o.shape.type.value).sort());
  });

  it('lists every call and no other', () => {
    const listed = [...page.matchAll(/`((?:GET|HEAD|PUT|POST|PATCH|DELETE) \/v1[^`?\s]*)/g)];
    const names = [...new Set(listed.map(([, call]) => call!))];
    expect(names.sort()).toEqual([...registered(), SOCKET_CALL].sort());
    expect(Object.keys(CALL_BOUNDS).sort()).toEqual(names);
  });

  it('shows the table of blocks', () => {
    const rows = [...page.matchAll(/^\| `([a-z.]+)`[^|]*\| ([a-z]+) \| ([a-z]+) \|$/gm)];
    const shown = rows.map(([, act, blocked, blocker]) => [act, { blocked, blocker }]);
    expect(shown).toEqual(Object.entries(BLOCK_TABLE));
  });

  it('shows the table of privacy', () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| `(\w+)` \| ([a-z]+) \| ([a-z]+) \|$/gm)];
    const shown = rows.map(([, setting, value, contact, stranger]) => [
      setting,
      value,
      { contact, stranger },
    ]);
    const expected = Object.entries(PRIVACY_TABLE).flatMap(([setting, values]) =>
      Object.entries(values).map(([value, effects]) => [setting, value, effects]),
    );
    expect(shown).toEqual(expected);
  });

  it('shows in its exchange frames that are some', () => {
    const frames = exchangeSteps(
      page.slice(page.indexOf('## A whole exchange'), page.indexOf('\n## 1. ')),
    );
    const typed = frames.flatMap((step) => (step.kind === 'type' ? [step.frame] : []));
    const seen = frames.flatMap((step) => (step.kind === 'see' ? [step.frame] : []));
    expect(typed.length).toBeGreaterThan(4);
    expect(seen.length).toBeGreaterThan(10);
    for (const text of typed) expect(parseClientFrame(text)).toEqual({ frame: JSON.parse(text) });
    for (const text of seen) expect(serverFrame.parse(JSON.parse(text))).toEqual(JSON.parse(text));
  });

  it('lists every close code', () => {
    for (const code of Object.values(CLOSE_CODES)) expect(page).toContain(String(code));
  });

  it('says how long tokens and tickets live', () => {
    expect(page).toContain(`The access token lives ${TIMINGS.accessTokenSeconds / 60} minutes.`);
    const days = TIMINGS.refreshTokenSeconds / 86_400;
    expect(page).toContain(`A refresh token lives ${days} days from its issue`);
    expect(page).toContain(`within ${TIMINGS.ticketSeconds} seconds`);
  });

  it('says what the fields of GET /v1 hold', () => {
    const { versions, login, policy, users } = describeService(RATES, 'search', 'multi');
    const shown = JSON.stringify({ login, policy, users }).slice(1);
    expect(page).toContain(`{"versions":${JSON.stringify(versions)}`);
    expect(page).toContain(shown);
  });

  it('names every limit and no other', () => {
    const listed = [...paragraph('All names of `limits`').matchAll(/`(\w+)`/g)].map((m) => m[1]);
    expect(listed.slice(1).sort()).toEqual(Object.keys(LIMITS).sort());
  });

  it('shows the digest vectors', () => {
    for (const { digest } of DIGEST_VECTORS) expect(page).toContain(digest);
  });
});
