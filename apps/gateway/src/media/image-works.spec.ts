import type { TidingsError } from '@tidings/protocol/errors';
import { ImageWorks } from './image-works';

const ANN = { userId: 'ann', deviceId: 'phone' };
const TARGET = { original: 'a', thumbnail: 'b' };

describe('ImageWorks', () => {
  it('takes the megapixels of an image before it is decoded, each begun one whole', async () => {
    const taken: unknown[] = [];
    let cleaned = 0;
    let waitMs = 0;
    const works = new ImageWorks(
      {
        measure: () => Promise.resolve(12_000_001),
        clean: () => Promise.resolve({ width: ++cleaned, height: 1 }),
      },
      {
        take: (...what) => {
          taken.push(what);
          return waitMs;
        },
      },
    );
    expect(await works.clean(ANN, 'file', 'image/png', TARGET)).toEqual({ width: 1, height: 1 });
    waitMs = 700;
    const refusal: unknown = await works
      .clean(ANN, 'file', 'image/png', TARGET)
      .catch((error: unknown) => error);
    const { code, retryAfterMs } = refusal as TidingsError;
    expect({ code, retryAfterMs }).toEqual({ code: 'rate_limited', retryAfterMs: 700 });
    expect(taken).toEqual([
      [ANN, 'pixels', 13],
      [ANN, 'pixels', 13],
    ]);
    expect(cleaned).toBe(1);
  });
});
