import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import {
  allSettings,
  COMPOSE_DECIDES,
  COMPOSE_DEFAULTS,
  COMPOSE_OWN,
  isPassedOn,
  type ProcessName,
  SCHEMAS,
} from '../../tools/settings/services';

interface Container {
  image?: string;
  networks?: string[];
  ports?: string[];
  read_only?: boolean;
  init?: boolean;
  deploy?: { resources?: { limits?: { cpus?: string; memory?: string } } };
  stop_grace_period?: string;
  environment?: Record<string, string | number | null>;
  command?: string[];
  restart?: string;
}

const read = (name: string): string => readFileSync(join(__dirname, '../..', name), 'utf8');
const file = read('docker-compose.yml');
const tlsFile = read('docker-compose.tls.yml');
const { services } = parse(file, { merge: true }) as { services: Record<string, Container> };

/** The containers of this project, and what runs in them. */
const CONTAINERS: [string, ProcessName][] = [
  ['gateway', 'gateway'],
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
    const unset = ['DATA_DIR', 'INTERNAL_URL'];
    const missing = expected.filter((one) => !given.includes(one) && !unset.includes(one));
    expect(missing).toEqual([]);
  });

  it('checks the settings of all services before anything starts', () => {
    const { environment = {}, restart } = services['settings'] ?? {};
    const all = CONTAINERS.flatMap(([name]) => Object.keys(services[name]?.environment ?? {}));
    expect(all.filter((one) => !(one in environment))).toEqual([]);
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

  it('gives every replica a name of its own, that of its container', () => {
    const replicas = CONTAINERS.map(([name]) => services[name]!);
    for (const { environment } of replicas) {
      expect(environment?.['NODE_ID']).toMatch(/^(gateway-)?\{hostname\}$/);
    }
    const { environment } = services['gateway']!;
    expect(environment?.['PUBLIC_URL']).toMatch(
      new RegExp(`/g/${String(environment?.['NODE_ID'])}/v1/ws$`),
    );
  });

  it('names what it reads itself in .env.example, with the same defaults', () => {
    const own = new Map(COMPOSE_OWN.map(({ name, fallback }) => [name, fallback]));
    const passed = new Set(known.filter(isPassedOn).map(({ name }) => name));
    const reads = [
      ...(file + tlsFile).matchAll(/(?<!\$)\$\{(\w+)(?::?([-?])((?:[^{}]|\{[^{}]*\})*))?\}/g),
    ]
      .map(([, name = '', sign, more = '']) => ({ name, needed: sign === '?', more }))
      .filter(({ name }) => !passed.has(name) && name !== 'POSTGRES_PASSWORD');
    expect(new Set(reads.map(({ name }) => name))).toEqual(new Set(own.keys()));
    for (const { name, needed, more } of reads) {
      if (needed) expect([name, more]).toEqual([name, expect.stringMatching(/^is .{10,}/)]);
      else expect([name, more]).toEqual([name, own.get(name)]);
    }
  });

  it('lets nobody in but through the balancer, and Kafka and metrics be looked at from this machine', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, port]),
    );
    expect(published).toEqual([
      ['kafka', '127.0.0.1:${KAFKA_PORT:-9092}:9092'],
      ['balancer', '${BIND_ADDRESS:-127.0.0.1}:${HTTP_PORT:-8080}:8000'],
      ['prometheus', '127.0.0.1:${PROMETHEUS_PORT:-9090}:9090'],
    ]);
  });

  it('shares a network between the balancer and gateways, with nobody else', () => {
    const inIt = Object.entries(services).filter(([, { networks = ['default'] }]) =>
      networks.includes('clients'),
    );
    expect(inIt.map(([name]) => name).sort()).toEqual(['balancer', 'gateway']);
    expect(services['balancer']?.networks).toEqual(['clients']);
  });

  it('contains what runs: no writable root, an init, limits, time to stop', () => {
    for (const name of [...CONTAINERS.map(([one]) => one), 'balancer', 'prometheus']) {
      const { read_only, init, deploy, stop_grace_period } = services[name]!;
      const { cpus, memory } = deploy?.resources?.limits ?? {};
      expect([name, read_only, init]).toEqual([name, true, true]);
      expect([cpus, memory]).toEqual([expect.any(String), expect.any(String)]);
      expect(stop_grace_period).toMatch(/^\d+s$/);
    }
    const others = ['kafka', 'redis', 'postgres'];
    for (const name of others)
      expect(services[name]?.deploy?.resources?.limits?.memory).toBeTruthy();
  });
});

describe('deploy/metrics/prometheus.yml', () => {
  interface Job {
    job_name: string;
    dns_sd_configs?: { names: string[]; port: number }[];
  }
  const { scrape_configs } = parse(read('deploy/metrics/prometheus.yml')) as {
    scrape_configs: Job[];
  };
  const jobs = scrape_configs.filter(({ dns_sd_configs }) => dns_sd_configs);

  it('has a job for each service, called as it is', () =>
    expect(jobs.map(({ job_name }) => job_name).sort()).toEqual(
      CONTAINERS.map(([name]) => name)
        .filter((name) => name !== 'prepare')
        .sort(),
    ));

  it.each(jobs)('$job_name: all replicas, where they tell', ({ job_name, dns_sd_configs }) => {
    const { environment = {} } = services[job_name]!;
    const port = environment['ADMIN_PORT'] ?? environment['PORT'];
    expect(dns_sd_configs).toMatchObject([{ names: [job_name], port }]);
  });
});

describe('docker-compose.tls.yml', () => {
  const tls = parse(tlsFile, { merge: true }) as {
    services: Record<string, Container & { secrets?: object[] }>;
  };

  it('sends clients to the same places, by wss and https', () => {
    const where = (one: Container) => String(one.environment?.['PUBLIC_URL']).split('}/g/')[1];
    for (const name of ['settings', 'gateway']) {
      expect(where(tls.services[name]!)).toBe(where(services['gateway']!));
    }
  });

  it('gives the key to the balancer alone, which alone has another port', () => {
    const having = (what: 'secrets' | 'ports') =>
      Object.keys(tls.services).filter((name) => tls.services[name]?.[what]);
    expect(having('secrets')).toEqual(['balancer']);
    expect(having('ports')).toEqual(['balancer']);
    expect(tls.services['balancer']?.ports).toEqual([
      '${BIND_ADDRESS:-127.0.0.1}:${HTTPS_PORT:-8443}:8443',
    ]);
  });
});
