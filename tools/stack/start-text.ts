import type { Stack } from './stack-types';

/** What `npm start` says when everything runs. */
export function welcomeText(stack: Stack, seconds: number): string {
  const [first = ''] = stack.gatewayUrls;
  const nodes = Object.values(stack.nodes).map(
    (node) => `  ${node.id.padEnd(10)} ${node.url}  pid ${node.pid}`,
  );
  return [
    '',
    `Tidings runs (${seconds.toFixed(1)} s).`,
    '',
    ...nodes,
    `  Kafka      ${stack.brokers}`,
    `  Redis      ${stack.redisUrl}`,
    `  logs       ${stack.dir}/logs`,
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
