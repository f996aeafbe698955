import {
  type PlannedNode,
  type SharedSettings,
  defaultPorts,
  givenPorts,
  nodeEnvironment,
  portBases,
} from './service-plan';

const BASES = { gateway: 8080, admin: 8090 };

function portsById(nodes: PlannedNode[]): Record<string, number> {
  return Object.fromEntries(nodes.map(({ id, port }) => [id, port]));
}

describe('ports of the services', () => {
  it('are the documented ones for the usual stack', () => {
    const nodes = defaultPorts({ gateway: 2, session: 1, presence: 1, storage: 1 }, BASES);
    expect(portsById(nodes)).toEqual({
      'gateway-1': 8080,
      'gateway-2': 8081,
      'session-1': 8090,
      'presence-1': 8091,
      'storage-1': 8092,
    });
  });

  it('stay the same for the first instances when more run', () => {
    const nodes = defaultPorts({ gateway: 3, session: 2, presence: 1, storage: 3 }, BASES);
    expect(portsById(nodes)).toEqual({
      'gateway-1': 8080,
      'gateway-2': 8081,
      'gateway-3': 8082,
      'session-1': 8090,
      'presence-1': 8091,
      'storage-1': 8092,
      'session-2': 8093,
      'storage-2': 8094,
      'storage-3': 8095,
    });
  });

  it('must not run into each other', () => {
    const counts = { gateway: 11, session: 1, presence: 1, storage: 1 };
    expect(() => defaultPorts(counts, BASES)).toThrow(/ADMIN_PORT_BASE/);
  });

  it('come from the environment', () => {
    expect(portBases({})).toEqual(BASES);
    expect(portBases({ GATEWAY_PORT: '9000', ADMIN_PORT_BASE: '9100' })).toEqual({
      gateway: 9000,
      admin: 9100,
    });
    expect(() => portBases({ GATEWAY_PORT: 'x' })).toThrow(/GATEWAY_PORT/);
    expect(() => portBases({ ADMIN_PORT_BASE: '0' })).toThrow(/ADMIN_PORT_BASE/);
  });
});

describe('environment of a service', () => {
  const nodes = givenPorts({ gateway: 1, session: 1, presence: 1, storage: 2 }, [1, 2, 3, 4, 5]);
  const shared: SharedSettings = {
    brokers: '127.0.0.1:9',
    redisUrl: 'redis://r',
    databaseUrl: 'postgres://p',
    jwtSecret: 'j',
    clusterSecret: 'c',
  };
  const environment = (id: string): Record<string, string> => {
    const node = nodes.find((one) => one.id === id);
    if (!node) throw new Error(id);
    return nodeEnvironment(node, nodes, shared);
  };

  it('names all instances of storage and presence', () => {
    expect(environment('session-1')).toMatchObject({
      NODE_ID: 'session-1',
      PORT: '2',
      STORAGE_URLS: 'http://127.0.0.1:4,http://127.0.0.1:5',
      PRESENCE_URLS: 'http://127.0.0.1:3',
    });
  });

  it.each([
    ['gateway-1', false, true],
    ['session-1', false, false],
    ['presence-1', true, false],
    ['storage-2', true, false],
  ])('%s: database %s, public address %s', (id, database, address) => {
    expect('DATABASE_URL' in environment(id)).toBe(database);
    expect(environment(id).PUBLIC_URL).toBe(address ? 'ws://127.0.0.1:1/v1/ws' : undefined);
  });
});
