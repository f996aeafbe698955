import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import { type GroupView, topicNames, viewGroups } from '@tidings/common/kafka/wire/cluster-view';
import { ensureServers } from './download';
import { javaCommand } from './kafka-server';
import { FORMATTER_PROPERTIES, parseRecordLine, showRecord } from './kafka-records';
import { StackError, dataDir } from './paths';
import { readStackFile } from './stack-file';

/** `npm run kafka -- …`: Kafka's own tools on the running stack. */

const USAGE = `npm run kafka -- groups                         consumer groups: state, members, lag
npm run kafka -- groups --all                   every partition of every group (Kafka's own table)
npm run kafka -- topics                         topics and their partitions
npm run kafka -- tail <topic> [--from-beginning] [--max n]
                                                records as they come, one per line
npm run kafka -- <class> [arguments]            any tool of Kafka by its class, e.g.
                                                org.apache.kafka.tools.GetOffsetShell --topic chat.messages.v1
KAFKA_BROKERS=host:port chooses another Kafka than the running stack's.`;

const TOOLS = 'org.apache.kafka.tools';

/** A Java class and its arguments. */
export interface ToolCall {
  main: string;
  args: string[];
  /** show records instead of what the tool prints */
  records?: boolean;
  /** a topic that must exist: the tool itself would wait for it for ever */
  topic?: string;
}

/**
 * What to run for these command line arguments; undefined: show the usage. `groups` alone needs no Java.
 * @throws StackError
 */
export function toolCall(args: string[], brokers: string): ToolCall | undefined {
  const [command, ...rest] = args;
  const server = ['--bootstrap-server', brokers];
  switch (command) {
    case undefined:
    case 'help':
    case '--help':
      return undefined;
    case 'groups':
      return groupsCall(rest, server);
    case 'topics':
      return { main: `${TOOLS}.TopicCommand`, args: [...server, '--describe', ...rest] };
    case 'tail':
      return tailCall(rest, server);
    default:
      if (!command.includes('.')) throw new StackError(`Unknown command "${command}".\n${USAGE}`);
      return {
        main: command,
        args: rest.includes('--bootstrap-server') ? rest : [...server, ...rest],
      };
  }
}

function groupsCall(args: string[], server: string[]): ToolCall {
  const [first, ...rest] = args;
  if (first !== '--all') throw new StackError(`groups takes --all or nothing.\n${USAGE}`);
  return {
    main: `${TOOLS}.consumer.group.ConsumerGroupCommand`,
    args: [...server, '--describe', '--all-groups', ...rest],
  };
}

function tailCall(args: string[], server: string[]): ToolCall {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { 'from-beginning': { type: 'boolean' }, max: { type: 'string' } },
    });
    const [topic, ...more] = positionals;
    if (topic === undefined || more.length > 0) throw new Error('tail takes one topic');
    return {
      main: `${TOOLS}.consumer.ConsoleConsumer`,
      records: true,
      topic,
      args: [
        ...server,
        '--topic',
        topic,
        // no committed offsets: the reader leaves no group behind
        '--command-property',
        'enable.auto.commit=false',
        ...(values['from-beginning'] ? ['--from-beginning'] : []),
        ...(values.max === undefined ? [] : ['--max-messages', values.max]),
        ...FORMATTER_PROPERTIES.flatMap((property) => ['--formatter-property', property]),
      ],
    };
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : error}.\n${USAGE}`);
  }
}

function brokersInUse(): string {
  const brokers = process.env.KAFKA_BROKERS || readStackFile(dataDir())?.brokers;
  if (brokers) return brokers;
  throw new StackError(
    'No stack runs here: start one with `npm start`, or name a Kafka with KAFKA_BROKERS.',
  );
}

async function run(call: ToolCall): Promise<number> {
  const { kafkaLibs } = await ensureServers((line) => process.stderr.write(`${line}\n`));
  const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=ERROR'];
  const child = spawn(
    javaCommand(),
    [...jvm, '-cp', join(kafkaLibs, '*'), call.main, ...call.args],
    { stdio: ['inherit', call.records ? 'pipe' : 'inherit', 'inherit'] },
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  process.on('disconnect', () => child.kill());
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const record = parseRecordLine(line);
      if (record) process.stdout.write(`${showRecord(record)}\n`);
      else process.stderr.write(`${line}\n`);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new StackError(`Java could not be run: ${error.message}.`)),
    );
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/** Runs what needs no Java, with a plain sentence when Kafka does not answer. */
async function asking<T>(brokers: string, work: (kafka: KafkaClient) => Promise<T>): Promise<T> {
  const kafka = createKafka({ brokers: brokers.split(','), clientId: 'tidings-tools' });
  try {
    return await work(kafka);
  } catch (error) {
    throw new StackError(
      `Kafka at ${brokers} does not answer (${error instanceof Error ? error.message : error}).`,
    );
  }
}

/** One line per group, under a head. */
export function groupLines(groups: readonly GroupView[]): string[] {
  const rows = [
    ['GROUP', 'STATE', 'MEMBERS', 'LAG', 'TOPICS'],
    ...groups.map(({ group, state, members, lag, topics }) => [
      group,
      state,
      String(members),
      lag === null ? '-' : String(lag),
      topics.join(',') || '-',
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

async function checkTopic(topic: string, brokers: string): Promise<void> {
  const topics = await asking(brokers, topicNames);
  if (topics.includes(topic)) return;
  throw new StackError(
    `There is no topic "${topic}". ${topics.length === 0 ? 'There is none yet.' : `Topics:\n  ${topics.join('\n  ')}`}`,
  );
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.length === 0 || args[0]?.endsWith('help')) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const brokers = brokersInUse();
  if (args.length === 1 && args[0] === 'groups') {
    const lines = groupLines(await asking(brokers, viewGroups));
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    return 0;
  }
  const call = toolCall(args, brokers);
  if (!call) return 0;
  if (call.topic !== undefined) await checkTopic(call.topic, brokers);
  return run(call);
}

if (require.main === module) {
  main().then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof StackError ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
