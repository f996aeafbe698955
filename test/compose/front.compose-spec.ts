import type { Problem } from '@tidings/protocol/http';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { registeredMetrics } from '../../tools/metrics/registered';
import { freePorts } from '../../tools/stack/ports';
import { runProgram } from '../../tools/stack/run-program';
import { SERVICES } from '../../tools/stack/service-plan';
import { type Answer, ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { Program } from '../support/program';
import { say } from '../support/talk';
import { openSocket } from '../support/test-socket';
import { ComposeStack, docker } from './compose-stack';

/** What stands around the services: TLS in front (`docker-compose.tls.yml`), and Prometheus (profile `metrics`). */
const STEP_MS = 600_000;
/** For two rounds of scraping, and of judging what was scraped. */
const SEEN_MS = 120_000;

type Asked = IncomingMessage & { text: string };

/** One call, whose certificate `ca` vouches for. */
function ask(
  url: string,
  { body, ...options }: { ca: string; method?: string; headers: object; body?: string },
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage): void => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(Object.assign(response, { text })));
    };
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const whole = { ...options, headers: { ...options.headers }, agent: false as const };
    const sent = request(url, whole, answered);
    sent.on('error', reject).end(body);
  });
}

/** A user whose calls trust one certificate. */
class TrustingUser extends ChatUser {
  private constructor(
    base: string,
    name: string,
    private readonly ca: string,
  ) {
    super([base], name);
  }

  static async register(base: string, ca: string): Promise<TrustingUser> {
    const username = `front${randomBytes(6).toString('hex')}`;
    const user = new TrustingUser(base, username, ca);
    const email = `${username}@example.org`;
    const account = { username, email, firstName: 'Test', password: ChatUser.PASSWORD };
    expect((await user.http('POST', '/v1/users', account)).status).toBe(201);
    await user.login();
    return user;
  }

  override async http<T = Problem>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer<T>> {
    const { statusCode = 0, text } = await ask(this.bases[0]! + path, {
      ca: this.ca,
      method,
      headers: {
        'content-type': 'application/json',
        ...(this.accessToken && { authorization: `Bearer ${this.accessToken}` }),
      },
      body: JSON.stringify(body),
    });
    return { status: statusCode, headers: new Headers(), body: JSON.parse(text) as T };
  }
}

describe('docker compose with TLS and metrics', () => {
  let stack: ComposeStack;
  let folder: string;
  let httpsPort: number;
  let metricsPort: number;
  const file = (name: string): string => join(folder, name);
  const certificate = (): string => readFileSync(file('tls.pem'), 'utf8');

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tidings-front-'));
    await newCertificate('tls');
    chmodSync(file('tls.key'), 0o400);
    [httpsPort = 0, metricsPort = 0] = await freePorts(2);
    const files = ['docker-compose.yml', 'docker-compose.tls.yml'];
    stack = await ComposeStack.prepare(
      {
        TLS_CERTIFICATE: file('tls.pem'),
        TLS_KEY: file('tls.key'),
        TLS_USER: `${process.getuid!()}:${process.getgid!()}`,
        HTTPS_PORT: String(httpsPort),
        PUBLIC_ADDRESS: `wss://localhost:${httpsPort}`,
        MEDIA_PUBLIC_URL: `https://localhost:${httpsPort}`,
        PROMETHEUS_PORT: String(metricsPort),
      },
      [...files.flatMap((one) => ['--file', one]), '--profile', 'metrics'],
    );
    await stack.compose(['build'], STEP_MS * 2);
    await stack.up();
  }, STEP_MS * 3);
  afterAll(async () => {
    await stack?.remove();
    rmSync(folder, { recursive: true, force: true });
  }, STEP_MS);

  async function newCertificate(name: string): Promise<void> {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const files = ['-keyout', file(`${name}.key`), '-out', file(`${name}.pem`)];
    const words = ['req', '-x509', '-days', '2', ...key, ...names, ...files];
    const { code, output } = await runProgram('openssl', words);
    if (code !== 0) throw new Error(output);
  }

  it('is a valid file', async () => {
    expect(await stack.compose(['config', '--quiet'])).toBe('');
  });

  describe('TLS', () => {
    const get = (url: string, headers = {}): Promise<Asked> =>
      ask(url, { headers, ca: certificate() });
    const url = (path: string): string => `https://localhost:${httpsPort}${path}`;
    /** The socket of a handshake that went well. */
    const handshake = (options: object = {}): Promise<TLSSocket> =>
      new Promise((resolve, reject) => {
        const place = { host: '127.0.0.1', port: httpsPort, servername: 'localhost' };
        const socket = connect({ ...place, ca: certificate(), ...options });
        socket.on('secureConnect', () => resolve(socket)).on('error', reject);
      });

    /** Of the certificate that is shown now. */
    const fingerprint = async (): Promise<string> => {
      const socket = await handshake();
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };

    it('answers by the certificate that it was given, and tells browsers to stay', async () => {
      const page = await get(url('/v1'));
      expect(page.statusCode).toBe(200);
      expect(page.headers['strict-transport-security']).toMatch(/^max-age=\d{7,}/);
    });

    it('sends whoever comes without it to the same path at its own address', async () => {
      const { statusCode, headers } = await get(`${stack.url}/v1/me?a=b`, { host: 'evil.example' });
      expect([statusCode, headers.location]).toEqual([308, url('/v1/me?a=b')]);
      for (const path of ['/v1', '/g/gateway-0123456789ab/v1/ws', '/health/ready']) {
        expect([path, (await get(stack.url + path)).statusCode]).toEqual([path, 308]);
      }
    });

    it('is of today: 1.3, 1.2 with forward secrecy, nothing older', async () => {
      const spoken = async (options: object): Promise<(string | null)[]> => {
        const socket = await handshake(options);
        const found = [socket.getProtocol(), socket.getCipher().name];
        socket.destroy();
        return found;
      };
      expect(await spoken({})).toEqual(['TLSv1.3', expect.any(String)]);
      const old = { maxVersion: 'TLSv1.2' };
      expect(await spoken(old)).toEqual(['TLSv1.2', expect.stringMatching(/^ECDHE-.*(GCM|POLY)/)]);
      const weak = { ...old, ciphers: 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0' };
      await expect(handshake(weak)).rejects.toThrow('alert handshake failure');
      const older = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' };
      await expect(handshake(older)).rejects.toThrow('alert protocol version');
    });

    it(
      'lets two people chat, whose clients trust the certificate alone',
      async () => {
        const play = (ca: string | undefined): Program =>
          new Program(join('tools', 'demo', 'main.js'), {
            args: ['--server', url(''), '--no-kill'],
            env: { NODE_EXTRA_CA_CERTS: ca },
          });
        const performed = play(file('tls.pem'));
        expect({ status: await performed.ended, errors: performed.errors }).toMatchObject({
          status: 0,
        });
        expect(performed.lines.join('\n')).toMatch(/speak by gateway-[0-9a-f]{12}/);
        const doubted = play(undefined);
        expect(await doubted.ended).not.toBe(0);
      },
      STEP_MS,
    );

    it(
      'takes a new certificate without an end of sockets',
      async () => {
        const ca = certificate();
        const ann = await TrustingUser.register(url(''), ca);
        const bob = await TrustingUser.register(url(''), ca);
        const { id } = await ann.direct(bob);
        const { ticket, url: address } = await ann.ticket();
        expect(address).toMatch(/^wss:\/\/localhost:\d+\/g\/gateway-/);
        const socket = await openSocket(address, ticket, { ca });
        await socket.next('welcome');
        expect((await say(socket, id, 'before')).type).toBe('sent');
        const before = await fingerprint();
        await newCertificate('next');
        chmodSync(file('tls.key'), 0o600);
        for (const end of ['pem', 'key']) {
          writeFileSync(file(`tls.${end}`), readFileSync(file(`next.${end}`)));
        }
        await stack.compose(['kill', '--signal', 'HUP', 'balancer']);
        await eventually(async () => expect(await fingerprint()).not.toBe(before), 30_000);
        expect((await say(socket, id, 'after')).type).toBe('sent');
        expect(socket.closed).toBeNull();
        await socket.end();
      },
      STEP_MS,
    );

    it('has a key that nobody else can read', async () => {
      for (const service of ['gateway', 'storage', 'prometheus']) {
        const [one] = await stack.containers(service);
        await expect(docker(['exec', one!.id, 'bash', '-c', 'cat /run/secrets/*'])).rejects.toThrow(
          'No such file',
        );
      }
    });
  });

  describe('Prometheus', () => {
    const ask = async <T>(path: string): Promise<T> => {
      const response = await fetch(`http://127.0.0.1:${metricsPort}/api/v1/${path}`);
      const { status, error, data } = (await response.json()) as {
        status: string;
        error?: string;
        data: T;
      };
      if (status !== 'success') throw new Error(`${path}: ${error}`);
      return data;
    };
    const inside = async (command: string): Promise<string> => {
      const [prometheus] = await stack.containers('prometheus');
      return docker(['exec', prometheus!.id, 'bash', '-c', command]);
    };
    /** How many instances of each job answer. */
    async function answering(): Promise<Record<string, number>> {
      interface Target {
        labels: { job: string };
        health: string;
      }
      const { activeTargets } = await ask<{ activeTargets: Target[] }>('targets?state=active');
      const counts: Record<string, number> = {};
      for (const { labels, health } of activeTargets) {
        expect([labels.job, health]).toEqual([labels.job, 'up']);
        counts[labels.job] = (counts[labels.job] ?? 0) + 1;
      }
      return counts;
    }
    const ONE_OF_EACH = { session: 1, presence: 1, storage: 1, prometheus: 1 };

    it('has alerts that fire when they should, and are silent otherwise', async () => {
      const files = 'cd /etc/prometheus && promtool check rules alerts.yml';
      expect(
        await inside(`${files} && TMPDIR=/dev/shm promtool test rules alerts.test.yml`),
      ).toContain('SUCCESS');
    });

    it(
      'finds every replica of every service, also those that come later',
      async () => {
        await eventually(
          async () => expect(await answering()).toEqual({ gateway: 2, ...ONE_OF_EACH }),
          SEEN_MS,
          1_000,
        );
        await stack.scale({ gateway: 3, session: 2 });
        await eventually(
          async () => expect(await answering()).toEqual({ ...ONE_OF_EACH, gateway: 3, session: 2 }),
          SEEN_MS,
          1_000,
        );
        await stack.scale({ gateway: 2, session: 1 });
      },
      STEP_MS,
    );

    it.each(SERVICES)(
      'has of %s what docs/METRICS.md says, no more and no less',
      async (service) => {
        interface Told {
          metric: string;
          type: string;
          help: string;
        }
        const told = await ask<Told[]>(
          `targets/metadata?match_target=${encodeURIComponent(`{job="${service}"}`)}`,
        );
        const own = new Map(
          told
            .filter(({ metric }) => metric.startsWith('tidings_'))
            .map(({ metric, type, help }) => [metric, { type, help }]),
        );
        const expected = registeredMetrics()
          .get(service)!
          .map(({ name, type, help }) => [name, { type, help }] as const);
        expect(Object.fromEntries(own)).toEqual(Object.fromEntries(expected));
      },
    );

    it('answers every panel of the dashboard, and judges every alert', async () => {
      const { panels } = JSON.parse(readFileSync('deploy/metrics/dashboard.json', 'utf8')) as {
        panels: { targets?: { expr: string }[] }[];
      };
      const asked = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
      for (const expr of asked) {
        const query = expr.replaceAll('$__rate_interval', '1m');
        await ask(`query?query=${encodeURIComponent(query)}`);
      }
      const { groups } = await ask<{ groups: { rules: { name: string; health: string }[] }[] }>(
        'rules',
      );
      const rules = groups.flatMap((group) => group.rules);
      expect(rules.length).toBeGreaterThanOrEqual(10);
      expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    });

    it(
      'raises an alert when a service is gone, and ends it when it is back',
      async () => {
        const away = async (): Promise<unknown[]> => {
          const { alerts } = await ask<{
            alerts: { labels: { alertname: string; job?: string } }[];
          }>('alerts');
          return alerts.filter(({ labels }) => labels.alertname === 'ServiceAway');
        };
        await eventually(async () => expect(await away()).toEqual([]), SEEN_MS, 1_000);
        await stack.compose(['stop', 'presence']);
        await eventually(
          async () => expect(await away()).toMatchObject([{ labels: { job: 'presence' } }]),
          SEEN_MS,
          1_000,
        );
        await stack.up('--no-recreate', 'presence');
        await eventually(async () => expect(await away()).toEqual([]), SEEN_MS, 1_000);
      },
      STEP_MS,
    );

    it('keeps its root closed, and its figures in a volume', async () => {
      await expect(inside('echo x > /etc/prometheus/alerts.yml')).rejects.toThrow('Read-only');
      expect((await inside('id -u')).trim()).not.toBe('0');
      expect(await inside('ls /var/lib/tidings-metrics')).toContain('wal');
    });
  });
});
