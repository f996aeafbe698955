import { ask, startLoggedIn } from '../testing/asking';
import { startFakeGateway, type FakeGateway } from '../testing/fake-gateway';

describe('who may be found', () => {
  it.each([
    [undefined, 'search', false],
    ['search', 'search', false],
    ['list', 'list', true],
  ] as const)('USER_DIRECTORY=%s', async (setting, users, listing) => {
    const env: Record<string, string> = setting === undefined ? {} : { USER_DIRECTORY: setting };
    const { gateway, token } = await startLoggedIn({ env });
    try {
      expect((await ask(gateway, 'GET', '', {})).body).toMatchObject({ users });
      await ask(gateway, 'GET', '/users', { token });
      expect(gateway.calls.at(-1)).toMatchObject({ name: 'users.search', input: { listing } });
    } finally {
      await gateway.app.close();
    }
  });

  it('is nothing else', async () => {
    const start = (): Promise<FakeGateway> => startFakeGateway({ env: { USER_DIRECTORY: 'all' } });
    await expect(start()).rejects.toThrow(/USER_DIRECTORY/);
  });
});
