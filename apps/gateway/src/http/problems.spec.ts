import { ask, LOGIN, OTHER_ID, startLoggedIn } from '../testing/asking';
import { StorageClient } from '../service-clients';
import { startFakeGateway, type FakeGateway } from '../testing/fake-gateway';

let gateway: FakeGateway;
let token: string;

beforeAll(async () => {
  ({ gateway, token } = await startLoggedIn());
});

afterAll(() => gateway.app.close());

describe('a problem', () => {
  it('is an RFC 9457 document with the id of the request', async () => {
    const answer = await ask(gateway, 'GET', '/me');
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toEqual({
      type: 'urn:tidings:error:unauthorized',
      title: expect.any(String),
      status: 401,
      detail: expect.any(String),
      code: 'unauthorized',
      requestId: answer.headers.get('x-request-id'),
      retryable: false,
    });
  });

  it.each([
    ['GET', '/nowhere', 404, 'not_found'],
    ['GET', '/../../etc/passwd', 404, 'not_found'],
  ])('%s %s → %i %s', async (method, path, status, code) => {
    const answer = await ask(gateway, method, path, { token });
    expect([answer.status, answer.body['code']]).toEqual([status, code]);
  });

  it.each([
    ['PATCH', '/auth/login', 'POST'],
    ['GET', '/auth/login/', 'POST'],
    ['PATCH', `/contacts/${OTHER_ID}`, 'DELETE, PUT'],
    ['POST', '/contacts/incoming', 'DELETE, GET, HEAD, PUT'],
    ['DELETE', '/conversations', 'GET, HEAD, POST'],
    ['GET', '/me/password', 'POST'],
  ])('%s %s: 405, Allow: %s', async (method, path, allow) => {
    const answer = await ask(gateway, method, path);
    expect([answer.status, answer.body['code']]).toEqual([405, 'method_not_allowed']);
    expect(answer.headers.get('allow')).toBe(allow);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body['requestId']).toBe(answer.headers.get('x-request-id'));
  });

  it('tells no internals', async () => {
    const other = await startFakeGateway({
      fakes: [
        [StorageClient, { call: () => Promise.reject(new Error('SELECT password FROM users')) }],
      ],
    });
    const answer = await ask(other, 'POST', '/auth/login', { body: LOGIN });
    expect([answer.status, answer.body['code']]).toEqual([500, 'internal']);
    expect(JSON.stringify(answer.body)).not.toContain('SELECT');
    await other.app.close();
  });
});
