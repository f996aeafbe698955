import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CALL_BOUNDS, FRAME_PLACES } from '@tidings/protocol/bounds';
import { clientFrame } from '@tidings/protocol/frames';
import { LIMITS } from '@tidings/protocol/limits';
import { limitsPage } from '../../tools/limits/page';

const read = (file: string): string => readFileSync(join(__dirname, '../../docs', file), 'utf8');

describe('docs/LIMITS.md', () => {
  it('is what the code says (npm run docs writes it)', () => {
    expect(read('LIMITS.md')).toBe(limitsPage());
  });

  it('has every call of the protocol', () => {
    const calls = read('PROTOCOL.md').matchAll(/`((?:GET|PUT|POST|PATCH|DELETE) \/v1[^`?]*)/g);
    expect([...calls].map((m) => m[1]!).filter((call) => !(call in CALL_BOUNDS))).toEqual([]);
  });

  it('has every frame of a client', () => {
    const types = clientFrame.options.map((option) => option.shape.type.value);
    expect(Object.keys(FRAME_PLACES).sort()).toEqual(types.sort());
  });

  it('bounds every answer that is no upload by one number; those of sync by their own', () => {
    const larger = Object.entries(CALL_BOUNDS).filter(([, b]) => b.answer > LIMITS.answerBytes);
    expect(larger.map(([call]) => call)).toEqual([
      'POST /v1/sync',
      'GET /v1/media/:id',
      'GET /v1/media/:id/thumbnail',
      'GET /v1/media/:id/signed',
    ]);
  });
});
