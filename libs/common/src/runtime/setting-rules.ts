import type { Allowance, SettingFacts } from './setting';

/** A setting that prevents the start, in words that follow its name. */
export interface Problem {
  name: string;
  what: string;
}

/** The shortest key of our own, in bytes. */
const KEY_BYTES = 32;
/** A key with fewer different characters was not drawn at random. */
const KEY_CHARACTERS = 8;
/** Parts of the values that pages and examples show. */
const EXAMPLES = ['changeme', 'change-me', 'please-change', 'secret', 'example', 'development'];
/** Passwords that images and tutorials start with; also a user's own name as the password. */
const DEFAULT_PASSWORDS = [
  'development-only',
  'postgres',
  'postgresql',
  'tidings',
  'password',
  'passwd',
  'changeme',
  'redis',
  'valkey',
  'secret',
  'example',
  'admin',
  'root',
  'test',
  '123456',
  '12345678',
];

type Settings = ReadonlyMap<string, SettingFacts>;
type Values = Readonly<Record<string, unknown>>;

/** What is wrong between settings that are right individually, wherever they are used. */
export function problemsTogether(values: Values, settings: Settings): Problem[] {
  const problems: Problem[] = [];
  for (const [name, { goesWith, atMost, passwordOf }] of settings) {
    const value = values[name];
    if (value === undefined) continue;
    if (goesWith !== undefined && values[goesWith] === undefined) {
      problems.push({ name: goesWith, what: `is missing: it goes with ${name}` });
    }
    if (atMost !== undefined && Number(value) > Number(values[atMost])) {
      problems.push({ name, what: `must be at most ${atMost}, which is ${values[atMost]}` });
    }
    if (passwordOf !== undefined && passwordIn(values[passwordOf]) !== undefined) {
      problems.push({ name, what: `is given twice: ${passwordOf} has a password already` });
    }
  }
  return problems;
}

/**
 * What is too dangerous for production: examples, defaults, equal secrets, test-only settings, clear text
 * to another host, a log that the loss of a broker takes away.
 */
export function problemsInProduction(
  values: Values,
  settings: Settings,
  allowed: readonly string[],
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, facts] of settings) {
    const value = values[name];
    if (facts.testsOnly && value !== undefined && value !== 0) {
      problems.push({ name, what: 'is for tests only' });
    }
    if (facts.neededInProduction !== undefined && value === undefined) {
      problems.push({ name, what: `is missing: ${facts.neededInProduction}` });
    }
    const what = facts.secret === 'key' ? keyProblem(value) : passwordProblem(value, facts);
    if (what !== null) problems.push({ name, what });
    const { clearText, inProduction } = facts;
    if (clearText !== undefined && !allowed.includes(clearText) && isClearText(value)) {
      const what = `leads to another host in clear text: ${notAllowed(clearText)}`;
      problems.push({ name, what });
    }
    if (inProduction === undefined || allowed.includes(inProduction.unless)) continue;
    if (Number(value) < inProduction.atLeast) {
      const least = `must be at least ${inProduction.atLeast} in production`;
      problems.push({ name, what: `${least}: ${notAllowed(inProduction.unless)}` });
    }
  }
  return [...problems, ...equalSecrets(values, settings)];
}

function notAllowed(allowance: Allowance): string {
  return `ALLOW_INSECURE does not name ${allowance}`;
}

/** Whether an address, or one of several, leads to another machine without encryption. */
function isClearText(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isClearText);
  if (typeof value !== 'string') return false;
  // a broker: host:port, for which there is no encryption
  if (!URL.canParse(value) || !value.includes('://')) {
    return !isLoopback(bare(value.slice(0, value.lastIndexOf(':'))));
  }
  const { protocol, hostname, searchParams } = new URL(value);
  if (ENCRYPTED.includes(protocol)) return false;
  if (TLS_MODES.includes(searchParams.get('sslmode') ?? '')) return false;
  const host = bare(searchParams.get('host') ?? hostname);
  // of PostgreSQL: a socket file
  return host !== '' && !host.startsWith('/') && !isLoopback(host);
}

const ENCRYPTED = ['https:', 'wss:', 'rediss:'];
/** Of PostgreSQL, as the URL names them. */
const TLS_MODES = ['require', 'verify-ca', 'verify-full', 'no-verify'];

/** A host without the brackets of IPv6. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function keyProblem(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  if (Buffer.byteLength(value) < KEY_BYTES) return `must have at least ${KEY_BYTES} bytes`;
  const lower = value.toLowerCase();
  const drawn = new Set(value).size >= KEY_CHARACTERS;
  if (drawn && !EXAMPLES.some((example) => lower.includes(example))) return null;
  return 'is an example: make one of your own';
}

function passwordProblem(value: unknown, { secret }: SettingFacts): string | null {
  const password = secretIn(value, secret)?.toLowerCase();
  if (secret === 'key' || password === undefined) return null;
  const user = secret === 'address' ? new URL(String(value)).username.toLowerCase() : '';
  if (password !== user && !DEFAULT_PASSWORDS.includes(password)) return null;
  return secret === 'address'
    ? 'has a default password: set one of your own'
    : 'is a default password: set one of your own';
}

/** Anybody who learns one of two equal secrets has both. */
function equalSecrets(values: Values, settings: Settings): Problem[] {
  const names = new Map<string, string[]>();
  for (const [name, { secret }] of settings) {
    const text = secretIn(values[name], secret);
    if (text !== undefined) names.set(text, [...(names.get(text) ?? []), name]);
  }
  return [...names.values()]
    .filter((equal) => equal.length > 1)
    .map(([name, ...others]) => ({
      name: name!,
      what: `is equal to ${others.join(' and ')}: make a secret for each`,
    }));
}

function secretIn(value: unknown, secret: SettingFacts['secret']): string | undefined {
  if (secret === undefined || typeof value !== 'string') return undefined;
  return secret === 'address' ? passwordIn(value) : value;
}

function passwordIn(url: unknown): string | undefined {
  if (typeof url !== 'string' || !URL.canParse(url)) return undefined;
  const { password } = new URL(url);
  try {
    return password === '' ? undefined : decodeURIComponent(password);
  } catch {
    return password;
  }
}

/** The URL with this password in it, whatever characters it has. */
export function withPassword(url: string, password: string): string {
  const whole = new URL(url);
  whole.password = encodeURIComponent(password);
  return whole.href;
}

/** Whether only this machine can reach a listener on this host. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
