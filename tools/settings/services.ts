import { z } from 'zod';
import { settingsOf, type SettingFacts } from '@tidings/common/runtime/setting';
import { gatewayEnv } from '../../apps/gateway/src/gateway.env';
import { presenceEnv } from '../../apps/presence/src/presence.env';
import { sessionEnv } from '../../apps/session/src/session.env';
import { storageEnv, toolEnv } from '../../apps/storage/src/storage.env';

/** What each process reads from its environment; `storage tools` are `main.js prepare`. */
export const SCHEMAS = {
  gateway: gatewayEnv,
  session: sessionEnv,
  presence: presenceEnv,
  storage: storageEnv,
  'storage tools': toolEnv,
} satisfies Record<string, z.ZodObject>;
export type ProcessName = keyof typeof SCHEMAS;

/** A setting as the pages show it. */
export interface Setting extends SettingFacts {
  name: string;
  /** the processes that read it */
  services: ProcessName[];
  /** Its default as it would be written; null: none. */
  fallback: string | null;
  required: boolean;
  /** JSON Schema of what may be written. */
  input: z.core.JSONSchema.BaseSchema;
}

/** All settings by name, in the order of the schemas. What several services read, they read alike. */
export function allSettings(): Setting[] {
  const found = new Map<string, Setting>();
  for (const [service, schema] of Object.entries(SCHEMAS) as [ProcessName, z.ZodObject][]) {
    const inputs = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    for (const [name, facts] of settingsOf(schema)) {
      const known = found.get(name);
      if (known) {
        known.services.push(service);
        continue;
      }
      const input = inputs.properties?.[name] as z.core.JSONSchema.BaseSchema;
      found.set(name, {
        ...facts,
        name,
        services: [service],
        fallback: input.default === undefined ? null : String(input.default),
        required: inputs.required?.includes(name) ?? false,
        input,
      });
    }
  }
  return [...found.values()];
}

/** What `docker-compose.yml` decides for its containers: `.env` has no say in it. */
export const COMPOSE_DECIDES: readonly string[] = [
  'NODE_ID',
  'HOST',
  'PORT',
  'ADMIN_PORT',
  'PUBLIC_URL',
  'INTERNAL_URL',
  'DATA_DIR',
  'SPOOL_ROOT',
  'MEDIA_DIR',
  'KAFKA_BROKERS',
  'REDIS_URL',
  'DATABASE_URL',
  'DATABASE_PASSWORD',
  'STORAGE_URLS',
  'PRESENCE_URLS',
];

/** What `docker-compose.yml` says where `.env` says nothing, beside the secrets of development. */
export const COMPOSE_DEFAULTS: Readonly<Record<string, string>> = {
  NODE_ENV: 'development',
  ALLOW_INSECURE: 'kafka,redis,postgres,internal',
  SHARED_ADDRESSES: 'default-gateway',
  REDIS_PASSWORD: 'development-only',
  MEDIA_PUBLIC_URL: 'http://127.0.0.1:${HTTP_PORT:-8080}',
};

/** What is no setting of a service: read by `docker-compose.yml` alone. */
export const COMPOSE_OWN: readonly { name: string; fallback: string; description: string }[] = [
  {
    name: 'BIND_ADDRESS',
    fallback: '127.0.0.1',
    description:
      'Address of this machine that clients connect to; 0.0.0.0: all of them. Nothing but the balancer listens there.',
  },
  { name: 'HTTP_PORT', fallback: '8080', description: 'Port of the balancer.' },
  {
    name: 'PUBLIC_ADDRESS',
    fallback: 'ws://127.0.0.1:${HTTP_PORT:-8080}',
    description:
      'Where clients reach the balancer, as wss://chat.example.org. Goes with MEDIA_PUBLIC_URL.',
  },
  { name: 'GATEWAYS', fallback: '2', description: 'Gateways that are started.' },
  { name: 'KAFKA_PORT', fallback: '9092', description: "Port for Kafka's tools on this machine." },
  {
    name: 'SERVICE_CPUS',
    fallback: '1',
    description: 'Most of the processors for a container of ours.',
  },
  { name: 'SERVICE_MEMORY', fallback: '512m', description: 'Most memory of a container of ours.' },
  { name: 'KAFKA_MEMORY', fallback: '1g', description: "Most memory of Kafka's container." },
  {
    name: 'POSTGRES_MEMORY',
    fallback: '1g',
    description: "Most memory of PostgreSQL's container.",
  },
  {
    name: 'REDIS_MEMORY',
    fallback: '512m',
    description: "Most memory of Redis' container. Goes with REDIS_MAXMEMORY.",
  },
  {
    name: 'REDIS_MAXMEMORY',
    fallback: '384mb',
    description: 'Where Redis refuses to write more: below what its container may have.',
  },
  {
    name: 'PROMETHEUS_PORT',
    fallback: '9090',
    description: 'Port of Prometheus on this machine (profile metrics, docs/METRICS.md).',
  },
  { name: 'PROMETHEUS_DAYS', fallback: '15', description: 'Days that it keeps figures.' },
  { name: 'PROMETHEUS_DISK', fallback: '2GB', description: 'Most that they take on the disk.' },
  { name: 'PROMETHEUS_MEMORY', fallback: '512m', description: 'Most memory of its container.' },
  {
    name: 'HTTPS_PORT',
    fallback: '8443',
    description: 'Port of the balancer with TLS (docker-compose.tls.yml, docs/TLS.md).',
  },
  {
    name: 'TLS_CERTIFICATE',
    fallback: '',
    description: 'File of the certificate, with those that vouch for it behind it, PEM.',
  },
  { name: 'TLS_KEY', fallback: '', description: 'File of its key, PEM.' },
  {
    name: 'TLS_USER',
    fallback: 'haproxy',
    description: 'Who the balancer is with TLS: the id of whoever may read TLS_KEY, or user:group.',
  },
];

/** Whether `.env` may set it for the containers. */
export function isPassedOn({ name, services, testsOnly }: Setting): boolean {
  const toServices = services.some((service) => service !== 'storage tools');
  return toServices && !testsOnly && !COMPOSE_DECIDES.includes(name);
}
