import {
  allSettings,
  COMPOSE_DEFAULTS,
  COMPOSE_OWN,
  isPassedOn,
  SCHEMAS,
  type Setting,
} from './services';

const SERVICES = Object.keys(SCHEMAS).filter((name) => name !== 'storage tools');

const HEAD = `# Settings

<!-- Written by \`npm run docs\` from the schemas of the services; do not edit. -->

A service reads its settings from environment variables, once, when it starts:

\`\`\`
$ PORT=8092 NODE_ID=storage-1 node dist/apps/storage/src/main.js
CLUSTER_SECRET is missing.
KAFKA_BROKERS is missing.
REDIS_URL is missing.
DATABASE_URL is missing.
\`\`\`

What is missing, malformed or dangerous stops the start with a sentence on stderr that names it, and exit code 78.
An empty value counts as none.

**In production** (\`NODE_ENV=production\`, or unset while \`HOST\` can be reached from other machines) a service does not
start with a key that has fewer than 32 bytes or is an example, with a default password, with two equal secrets, or with
a setting that is for tests only. A key is made by
\`node -e "console.log(require('node:crypto').randomBytes(48).toString('base64url'))"\`.
Neither does it with fewer than three copies of the log or two that must have a record, nor with clear text to another host,
unless \`ALLOW_INSECURE\` names it; nor with a PostgreSQL whose \`fsync\` or \`synchronous_commit\` is off, nor with a Redis that
evicts keys: it asks them as soon as they answer, and ends with a sentence and exit code 78 as well.

\`\`\`
$ NODE_ENV=production KAFKA_BROKERS=10.0.0.7:9092 … node dist/services/session.js
KAFKA_BROKERS leads to another host in clear text: ALLOW_INSECURE does not name kafka.
KAFKA_REPLICATION must be at least 3 in production: ALLOW_INSECURE does not name single-broker.
\`\`\`

**What is away** is no wrong setting: a service waits for Kafka, Redis, PostgreSQL and storage as long as it takes, answers
\`/health/live\`, \`/health/ready\` (503 with each part and its reason) and \`/metrics\` meanwhile, and logs a line when what it waits for changes.

**\`npm start\`** sets what belongs to one instance and the addresses, and hands on the rest of its own environment.
**\`docker compose\`** hands on what \`.env\` or the shell sets; [\`.env.example\`](../.env.example) lists it.
`;

/** `docs/SETTINGS.md`. */
export function settingsPage(): string {
  const groups = new Map<string, Setting[]>();
  for (const setting of allSettings()) {
    const title = titleOf(setting);
    groups.set(title, [...(groups.get(title) ?? []), setting]);
  }
  return [HEAD, ...[...groups].map(([title, settings]) => section(title, settings))].join('\n');
}

function titleOf({ services }: Setting): string {
  const long = services.filter((service) => service !== 'storage tools');
  if (long.length === SERVICES.length) return 'Every service';
  if (long.length === 0) return "Storage's tool: `main.js prepare`";
  const title = long.join(' and ');
  return title.charAt(0).toUpperCase() + title.slice(1);
}

function section(title: string, settings: Setting[]): string {
  return [
    `## ${title}`,
    '',
    '| Setting | Value | Default | What it does |',
    '|---|---|---|---|',
    ...settings.map(row),
    '',
  ].join('\n');
}

function row(setting: Setting): string {
  const cells = [`\`${setting.name}\``, valueOf(setting), defaultOf(setting), textOf(setting)];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function valueOf({ input, unit, secret }: Setting): string {
  if (Array.isArray(input.enum)) return input.enum.map((one) => `\`${String(one)}\``).join(' ');
  const { minimum, maximum, type } = input;
  if (type === 'integer' || type === 'number') {
    const bounds = [minimum, maximum].map((bound) =>
      bound === undefined || Math.abs(bound) === Number.MAX_SAFE_INTEGER ? '' : String(bound),
    );
    const kind = unit ?? (type === 'integer' ? 'whole number' : 'number');
    const [from, to] = bounds;
    if (from === '' && to === '') return kind;
    return to === '' ? `${kind}, at least ${from}` : `${kind}, ${from} to ${to}`;
  }
  if (secret === 'key') return 'secret, 32 bytes or more';
  if (secret === 'password') return 'secret';
  return input.format === 'uri' ? 'URL' : 'text';
}

function defaultOf({ fallback, required, unset }: Setting): string {
  if (required) return '**needed**';
  if (unset !== undefined) return unset;
  return fallback === null || fallback === '' ? 'none' : `\`${fallback}\``;
}

function textOf(setting: Setting): string {
  const { description, testsOnly, neededInProduction, goesWith, secret } = setting;
  const { clearText, inProduction } = setting;
  return [
    description,
    testsOnly ? 'For tests only.' : '',
    neededInProduction === undefined ? '' : 'Needed in production.',
    goesWith === undefined ? '' : `Goes with \`${goesWith}\`.`,
    secret === 'address' ? 'The password in it is a secret.' : '',
    clearText === undefined
      ? ''
      : `Clear text to another host: \`${clearText}\` in \`ALLOW_INSECURE\`.`,
    inProduction === undefined ? '' : `In production at least ${inProduction.atLeast}.`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

const EXAMPLE_HEAD = `# Settings of \`docker compose\`: copy this file to .env. What is commented out has the default that is shown.
# A value with # or $ stands in single quotes. docs/SETTINGS.md says more. Written by \`npm run docs\` from the schemas of the services.

# In production every secret must be your own, a different one each, of at least 32 bytes:
#   node -e "console.log(require('node:crypto').randomBytes(48).toString('base64url'))"
`;
/** Set in the example: whoever copies the file fills them in. */
const FIRST = ['NODE_ENV', 'JWT_SECRET', 'CLUSTER_SECRET'];
const DATABASE = `# Password of PostgreSQL: DATABASE_PASSWORD of the services. It counts when the database is made: a new volume, the first start.
POSTGRES_PASSWORD=
`;

/** `.env.example`. */
export function envExample(): string {
  const passed = allSettings().filter(isPassedOn);
  const first = FIRST.map((name) => passed.find((setting) => setting.name === name)!);
  const others = passed.filter(({ name }) => !FIRST.includes(name));
  return [
    EXAMPLE_HEAD,
    ...first.map((setting) => `${comment(setting)}\n${setting.name}=${setting.fallback ?? ''}\n`),
    DATABASE,
    ...COMPOSE_OWN.map(
      ({ name, fallback, description }) => `# ${description}\n# ${name}=${fallback}\n`,
    ),
    ...others.map(
      (setting) =>
        `${comment(setting)}\n# ${setting.name}=${COMPOSE_DEFAULTS[setting.name] ?? setting.fallback ?? ''}\n`,
    ),
  ].join('\n');
}

function comment(setting: Setting): string {
  const value = valueOf(setting).replaceAll('`', '');
  const kind = value === 'text' ? '' : ` (${value})`;
  const unset = setting.unset === undefined ? '' : ` Unset: ${setting.unset}.`;
  return `# ${setting.description}${unset}${kind}`.replaceAll('`', '');
}
