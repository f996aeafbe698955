import { z } from 'zod';
import { conversationChange, sentContent } from '@tidings/protocol/content';
import { conversationId, uuid } from '@tidings/protocol/ids';
import { position } from '@tidings/protocol/positions';
import { contentHash, EVENT_SCHEMAS, RECORD_HEADERS } from '@tidings/common/log-events/events';
import { AGAIN, CONTENT_TYPE, SPEC_VERSION } from '@tidings/common/log-events/record';
import { REPLAY_OF_HEADER } from '@tidings/common/log-events/dead-letter';
import { deadLetterTopic, GROUPS, TOPICS, topicSpecs } from '@tidings/common/log-events/topics';

type Topic = keyof typeof EVENT_SCHEMAS;

/** What a topic's key is, who writes it, and which consumer groups read it where. */
const USES: Record<Topic, { key: string; writer: string; groups: Record<string, string> }> = {
  [TOPICS.messages]: {
    key: 'conversation id',
    writer: 'gateway (messages), storage (conversations)',
    groups: {
      [GROUPS.sessionRouting]: 'apps/session/src/routing/messages.consumer.ts',
      [GROUPS.storageWriter]: 'apps/storage/src/messages/messages.consumer.ts',
    },
  },
  [TOPICS.receipts]: {
    key: 'conversation id',
    writer: 'gateway',
    groups: {
      [GROUPS.sessionReceipts]: 'apps/session/src/receipts/receipts.consumer.ts',
      [GROUPS.storageReceipts]: 'apps/storage/src/receipts/receipts.consumer.ts',
    },
  },
  [TOPICS.presence]: {
    key: 'user id',
    writer: 'gateway, presence (connections of dead gateways)',
    groups: { [GROUPS.presenceTracker]: 'apps/presence/src/connections.consumer.ts' },
  },
  [TOPICS.presenceChanges]: {
    key: 'user id',
    writer: 'presence',
    groups: { [GROUPS.sessionPresence]: 'apps/session/src/presence/presence.consumer.ts' },
  },
  [TOPICS.signals]: {
    key: 'conversation id',
    writer: 'gateway',
    groups: { [GROUPS.sessionSignals]: 'apps/session/src/typing/typing.consumer.ts' },
  },
};

/** Types that have a name of their own. */
const NAMED = new Map<string, string>(
  Object.entries({
    'conversation id': conversationId,
    UUID: uuid,
    position,
    'hash, 22 characters of base64url': contentHash,
    'content, with what the server knows of an upload': sentContent,
    'change of a conversation': conversationChange,
  }).map(([name, schema]) => [shapeOf(schema), name]),
);

const HEAD = `# Events of the log

<!-- Written by \`npm run docs\` from the schemas of the events; do not edit. -->

What the services say to one another through Kafka. Clients see none of it: their frames are in [PROTOCOL.md](PROTOCOL.md).
The schemas are in \`libs/common/src/log-events/events.ts\`, the topics in \`libs/common/src/log-events/topics.ts\`; every reader
judges a record by \`libs/common/src/log-events/read-log-event.ts\`. A value is JSON. Readers ignore fields that they do not know.
`;

/** `docs/EVENTS.md`. */
export function eventsPage(): string {
  return [HEAD, topicsSection(), headersSection(), ...topicSections()].join('\n');
}

/** Every consumer group of the page, with its topic and the file of its consumer. */
export function listedGroups(): { topic: string; group: string; file: string }[] {
  return Object.entries(USES).flatMap(([topic, { groups }]) =>
    Object.entries(groups).map(([group, file]) => ({ topic, group, file })),
  );
}

const specs = topicSpecs({ partitions: 0, replication: 0, minInsyncReplicas: 0 });

function topicsSection(): string {
  const rows = Object.entries(USES).flatMap(([topic, { key, writer, groups }]) => {
    const kept = keptFor(topic);
    return Object.entries(groups).map(([group, file]) => {
      const dead = specs.some(({ name }) => name === deadLetterTopic(topic, group));
      return `| \`${topic}\` | ${key} | ${kept} | ${writer} | \`${group}\` | \`${file}\` | ${dead ? 'yes' : 'no'} |`;
    });
  });
  return [
    '## Topics and their consumers',
    '',
    '| Topic | Key | Kept for | Written by | Consumer group | Read in | Dead letters |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    'What a group can never use goes to `<topic>.<group>.dlq`, kept for 30 days; where there are no dead letters, it is passed over. There it has',
    'the headers `dlq_topic`, `dlq_partition`, `dlq_offset`, `dlq_timestamp`, `dlq_group` and `dlq_reason` besides its own. A record with `dlq_mark`',
    '(`replaying`, `replayed`, `dropped`) says what operators did about it. [KAFKA.md](KAFKA.md#dead-letters)',
    '',
  ].join('\n');
}

function keptFor(topic: string): string {
  const { config } = specs.find(({ name }) => name === topic)!;
  const hours = Number(config['retention.ms']) / 3_600_000;
  if (hours >= 48) return `${hours / 24} days`;
  return hours >= 1 ? `${hours} hours` : `${hours * 60} minutes`;
}

function headersSection(): string {
  const says: Record<keyof typeof RECORD_HEADERS, string> = {
    specVersion: `\`${SPEC_VERSION}\``,
    id: 'the message id, the change id, or an id of the event',
    type: 'the type, as below',
    source: 'the instance that appended it',
    time: 'ISO 8601, the clock of that instance',
    contentType: `\`${CONTENT_TYPE}\``,
    epoch: 'epoch of the log; records of another one are passed over',
    again: `\`${AGAIN}\`: it may have been appended before`,
  };
  const names = Object.keys(says) as (keyof typeof says)[];
  return [
    '## Headers',
    '',
    'CloudEvents 1.0, Kafka binding, binary mode. `traceparent` may be there, too.',
    '',
    '| Header | Value |',
    '|---|---|',
    ...names.map((name) => `| \`${RECORD_HEADERS[name]}\` | ${says[name]} |`),
    `| \`${REPLAY_OF_HEADER}\` | where the record was first that an operator has appended again |`,
    '',
  ].join('\n');
}

function topicSections(): string[] {
  return Object.entries(EVENT_SCHEMAS).flatMap(([topic, schemas]) => [
    `## ${topic}\n`,
    ...Object.entries(schemas).map(([type, schema]) => eventSection(type, schema)),
  ]);
}

function eventSection(type: string, schema: z.ZodObject): string {
  const json = jsonOf(schema);
  const required = new Set(json.required);
  const rows = Object.entries(json.properties ?? {}).map(([name, field]) => {
    const optional = required.has(name) ? '' : '?';
    return `| \`${name}${optional}\` | ${typeOf(field)} | ${field.description ?? ''} |`;
  });
  return [
    `### ${type}`,
    '',
    json.description ?? '',
    '',
    '| Field | Type | Meaning |',
    '|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

interface JsonField {
  type?: string;
  description?: string;
  enum?: string[];
  items?: JsonField;
  properties?: Record<string, JsonField>;
  required?: string[];
  oneOf?: JsonField[];
  const?: unknown;
}

function jsonOf(schema: z.ZodType): JsonField {
  return z.toJSONSchema(schema, { io: 'input' }) as JsonField;
}

/** What tells two types apart: their JSON schema without the words. */
function shapeOf(field: z.ZodType | JsonField): string {
  const json = field instanceof z.ZodType ? jsonOf(field) : field;
  return JSON.stringify({ ...json, description: undefined, $schema: undefined });
}

function typeOf(field: JsonField): string {
  const name = NAMED.get(shapeOf(field));
  if (name !== undefined) return name;
  if (field.enum) return field.enum.map((one) => `\`${one}\``).join(', ');
  if (field.items) return `list of ${typeOf(field.items)}`;
  if (field.oneOf) return `content: ${field.oneOf.map(kindOf).join(', ')}`;
  if (field.type === 'string') return 'text';
  return field.type ?? 'any JSON';
}

function kindOf(field: JsonField): string {
  return `\`${String(field.properties?.['kind']?.const)}\``;
}
