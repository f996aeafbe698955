import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  allSettings,
  COMPOSE_DECIDES,
  COMPOSE_DEFAULTS,
  isPassedOn,
  type ProcessName,
  SCHEMAS,
} from '../../tools/settings/services';

interface Container {
  image?: string;
  environment?: Record<string, string | number | null>;
  command?: string[];
  restart?: string;
}

const file = readFileSync(join(__dirname, '../../docker-compose.yml'), 'utf8');
const { services } = parse(file, { merge: true }) as { services: Record<string, Container> };

/** The containers of this project, and what runs in them. */
const CONTAINERS: [string, ProcessName][] = [
  ['gateway-1', 'gateway'],
  ['gateway-2', 'gateway'],
  ['session', 'session'],
  ['presence', 'presence'],
  ['storage', 'storage'],
  ['prepare', 'storage tools'],
];
const known = allSettings();

describe('docker-compose.yml', () => {
  it.each(CONTAINERS)('hands on to %s what .env may set, and decides the rest', (name, process) => {
    const environment = services[name]?.environment ?? {};
    const expected = Object.keys(SCHEMAS[process].shape).filter((one) => {
      const setting = known.find((s) => s.name === one)!;
      return isPassedOn(setting) || COMPOSE_DECIDES.includes(one);
    });
    const given = Object.keys(environment);
    // `prepare` is a tool of storage: what it does not read does no harm
    const read = process === 'storage tools' ? given : Object.keys(SCHEMAS[process].shape);
    expect(given.filter((one) => !read.includes(one))).toEqual([]);
    // an optional one of `COMPOSE_DECIDES` may be left at its default
    const missing = expected.filter((one) => !given.includes(one) && one !== 'DATA_DIR');
    expect(missing).toEqual([]);
  });

  it('checks the settings of all services before anything starts', () => {
    const { environment = {}, restart } = services['settings'] ?? {};
    const all = CONTAINERS.flatMap(([name]) => Object.keys(services[name]?.environment ?? {}));
    const own = ['PUBLIC_URL', 'INTERNAL_URL'];
    expect(all.filter((one) => !(one in environment) && !own.includes(one))).toEqual([]);
    expect(restart).toBe('no');
  });

  it('has the defaults that .env.example shows', () => {
    const { environment = {} } = services['settings'] ?? {};
    const defaults = Object.entries(environment).flatMap(([name, value]) => {
      const text = /^\$\{(\w+):?-(.*)\}$/.exec(String(value));
      return text?.[1] === name && !/SECRET$/.test(name) ? [[name, text[2]]] : [];
    });
    expect(Object.fromEntries(defaults)).toEqual(COMPOSE_DEFAULTS);
  });

  it('gives every instance a name and ports of its own', () => {
    const names = CONTAINERS.map(([name]) => services[name]?.environment?.['NODE_ID']);
    expect(new Set(names).size).toBe(CONTAINERS.length);
  });

  it('publishes nothing but to this machine', () => {
    const ports = Object.values(services).flatMap(
      (one) => (one as { ports?: string[] }).ports ?? [],
    );
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
  });
});
