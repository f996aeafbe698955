import { CALL_BOUNDS } from '@tidings/protocol/bounds';
import { ask, startLoggedIn } from '../testing/asking';
import type { FakeGateway } from '../testing/fake-gateway';

const ID = '01890a5d-ac96-774b-bcce-b302099a8057';
const calls = Object.entries(CALL_BOUNDS).flatMap(([call, { request }]) => {
  const [method, path] = call.split(' ') as [string, string];
  return request === 0 || call === 'POST /v1/media' ? [] : [[method, path, request] as const];
});

describe('bodies of calls', () => {
  let gateway: FakeGateway;
  let token: string;

  beforeAll(async () => {
    ({ gateway, token } = await startLoggedIn());
  });
  afterAll(() => gateway.app.close());

  it.each(calls)('%s %s: %i bytes are read, one more is refused', async (method, path, bytes) => {
    const at = path.replace('/v1', '').replace(/:\w+/g, ID);
    const send = (size: number) =>
      ask(gateway, method, at, { token, body: `{"x":"${'x'.repeat(size - 8)}"}` });
    const read = await send(bytes);
    expect(read.status).not.toBe(413);
    const refused = await send(bytes + 1);
    expect([refused.status, refused.body['code']]).toEqual([413, 'payload_too_large']);
  });
});
