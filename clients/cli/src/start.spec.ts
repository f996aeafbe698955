import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientEvents, TidingsClient } from '@tidings/sdk';
import { httpAddresses, NamedServers } from './named-servers';
import { readOptions, serverAddress } from './options';
import { stateFolder, takeProfile } from './profile';
import { stackGateways } from './stack-gateways';

describe('command line', () => {
  it('reads options and the password from the environment', () => {
    const args = [
      '--server',
      'localhost:1',
      '--server',
      'https://x/',
      '--user',
      'ann',
      '--register',
    ];
    expect(readOptions(args, { TIDINGS_PASSWORD: 'secret' })).toMatchObject({
      servers: ['http://localhost:1', 'https://x'],
      user: 'ann',
      password: 'secret',
      register: true,
    });
  });

  it.each([[['--nonsense']], [['extra']], [['--server', 'ftp://x']], [['--server', 'a b']]])(
    'refuses %j',
    (args) => expect(() => readOptions(args, {})).toThrow(),
  );

  it.each([
    ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://host', 'http://host'],
    ['https://host:1/path', 'https://host:1'],
  ])('completes %s', (text, url) => expect(serverAddress(text)).toBe(url));
});

describe('what a machine remembers', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-cli-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const take = (username = 'Ann', server = 'http://127.0.0.1:8080') =>
    takeProfile(dir, server, username);

  it('is the same device each time, for its owner only', () => {
    const first = take();
    first.release();
    const again = take('ann');
    expect(again).toMatchObject({ deviceId: first.deviceId, outboxPath: first.outboxPath });
    const device = join(again.outboxPath, '..', 'device');
    expect(statSync(device).mode & 0o777).toBe(0o600);
    expect(statSync(join(device, '..')).mode & 0o777).toBe(0o700);
  });

  it('is another device for a second program, another user and another server', () => {
    const ids = [take(), take(), take('bob'), take('Ann', 'http://other')].map((p) => p.deviceId);
    expect(new Set(ids).size).toBe(4);
  });

  it('takes over from a program that has died', () => {
    const first = take();
    const lock = join(first.outboxPath, '..', 'lock');
    expect(readFileSync(lock, 'utf8')).toBe(String(process.pid));
    writeFileSync(lock, '999999999');
    expect(take().deviceId).toBe(first.deviceId);
  });

  it.each(['..', '../../etc', 'a/b', 'a\u0000b', 'ünï', 'A'.repeat(32)])(
    'keeps the name %j inside its folder',
    (name) =>
      expect(take(name).outboxPath.startsWith(join(dir, '127.0.0.1_8080') + '/')).toBe(true),
  );

  it('says so when it cannot keep anything', () => {
    writeFileSync(join(dir, 'file'), '');
    expect(() => takeProfile(join(dir, 'file'), 'http://x', 'ann')).toThrow('Cannot keep anything');
  });

  it.each([
    [{ XDG_STATE_HOME: '/state' }, '/state/tidings'],
    [{ XDG_STATE_HOME: 'relative' }, '.local/state/tidings'],
    [{}, '.local/state/tidings'],
  ])('lives where %j says', (env, end) => expect(stateFolder(env).endsWith(end)).toBe(true));

  it('finds the gateways of the stack, in random order', () => {
    const path = join(dir, 'stack.json');
    expect(stackGateways(path)).toEqual([]);
    writeFileSync(path, JSON.stringify({ gateways: ['http://a', 'http://b', 7] }));
    expect(stackGateways(path, () => 0)).toEqual(['http://a', 'http://b']);
    expect(stackGateways(path, () => 0.9)).toEqual(['http://b', 'http://a']);
    writeFileSync(path, 'torn');
    expect(stackGateways(path)).toEqual([]);
  });
});

describe('gateways that the server has named', () => {
  it.each([
    [['ws://b:81/v1/ws', 'ws://a/v1/ws', 'ws://b:81/'], ['http://a'], ['http://b:81']],
    [['wss://b/v1/ws', 'http://c'], ['http://a'], ['https://b', 'http://c']],
    [['ws://b/', 'wss://c/', 'https://d'], ['https://a'], ['https://c', 'https://d']],
    [['ws://b/'], ['https://a', 'http://a'], ['http://b']],
    [['file:///x', 'odd', ''], ['http://a'], []],
  ])('%j beside %j: %j', (urls, given, addresses) => {
    expect(httpAddresses(urls, given)).toEqual(addresses);
  });

  it('are asked too, and remembered as long as they are named', () => {
    const asked: string[] = [];
    let tell: (event: Pick<ClientEvents['gateways'], 'gateways'>) => void = () => undefined;
    const client = {
      on: (_: string, listener: typeof tell) => (tell = listener),
      addServers: (servers: string[]) => asked.push(...servers),
    } as unknown as TidingsClient;
    let changes = 0;
    const named = new NamedServers(client, ['http://a'], () => changes++);
    named.add(['http://old']);
    tell({ gateways: ['a', 'b'].map((id) => ({ id, url: `ws://${id}/v1/ws` })) });
    tell({ gateways: [{ id: 'b', url: 'ws://b/v1/ws' }] });
    expect(named.all()).toEqual(['http://b', 'http://old']);
    expect(asked).toEqual(['http://old', 'http://b', 'http://b']);
    expect(changes).toBe(2);
    for (let n = 0; n < 20; n++) named.add([`http://${n}`]);
    expect(named.all()).toHaveLength(8);
  });
});
