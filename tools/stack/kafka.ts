import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ensureServers } from './download';
import { javaCommand } from './kafka-server';
import { FORMATTER_PROPERTIES, parseRecordLine, showRecord } from './kafka-records';
import { StackError, dataDir } from './paths';
import { readStackFile } from './stack-file';

/** `npm run kafka -- …`: Kafka's own tools on the running stack. */

const USAGE = `npm run kafka -- groups                         consumer groups: members, offsets, lag
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
}

/**
 * What to run for these command line arguments; undefined: show the usage.
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
      return {
        main: `${TOOLS}.consumer.group.ConsumerGroupCommand`,
        args: [...server, '--describe', '--all-groups', ...rest],
      };
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
      args: [
        ...[...server, '--topic', topic],
        // no committed offsets: the reader leaves no group behind
        ...['--command-property', 'enable.auto.commit=false'],
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

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  const call =
    args.length === 0 || args[0]?.endsWith('help') ? undefined : toolCall(args, brokersInUse());
  if (call) return run(call);
  process.stdout.write(`${USAGE}\n`);
  return 0;
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
