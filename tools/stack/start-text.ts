import type { ServerHandle } from './server-handle';
import type { Stack } from './stack-types';
import type { ServerVersions } from './versions';

/** What `npm start` says when everything runs. */
export function welcomeText(stack: Stack, versions: ServerVersions, seconds: number): string {
  const [first = ''] = stack.gatewayUrls;
  const nodes = Object.values(stack.nodes).map(({ id, url, pid }) => row(id, url, pid));
  const servers = [
    serverRow('Kafka', versions.kafka, stack.brokers, () => stack.kafka),
    serverRow('Redis', versions.redis, withoutSecrets(stack.redisUrl), () => stack.redis),
    serverRow(
      'PostgreSQL',
      versions.postgres,
      withoutSecrets(stack.databaseUrl),
      () => stack.postgres,
    ),
  ];
  return [
    '',
    `Tidings runs (${seconds.toFixed(1)} s).`,
    '',
    ...nodes,
    ...servers,
    row('logs', `${stack.dir}/logs`),
    row('passwords', `${stack.dir}/stack.json`),
    '',
    'Try, in other terminals:',
    '  npm run chat                  chat; start it twice, as two people',
    '  npm run demo                  two users on two gateways, one gateway dies half-way',
    '  npm run kafka -- groups       the consumer groups and their lag',
    '  npm run kafka -- tail chat.messages.v1',
    `  curl ${first}/v1`,
    '  kill -9 <pid>                 of any of the above: it is started again, and nothing is lost',
    '',
    'Ctrl-C stops everything; the data stays (npm run reset removes it).',
  ].join('\n');
}

function row(name: string, address: string, pid?: number): string {
  return `  ${name.padEnd(15)} ${address}${pid === undefined ? '' : `  pid ${pid}`}`;
}

/** Version and process id are known of the stack's own servers; reading another one throws. */
function serverRow(
  name: string,
  version: string,
  address: string,
  server: () => ServerHandle,
): string {
  try {
    return row(`${name} ${version}`, address, server().pid);
  } catch {
    return row(name, address);
  }
}

/** An address without what its user may not want on a screen. */
function withoutSecrets(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '';
  return parsed.href.replace(/\/$/, '');
}
