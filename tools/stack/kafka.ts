import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { specsOf } from '@tidings/common/kafka/wire/topics';
import type { TopicSpec } from '@tidings/common/log-events/topics';
import { kafkaEnv, loadEnv } from '@tidings/common/runtime/env';
import { asking, brokersInUse } from './brokers';
import { ensureServers } from './download';
import { javaCommand } from './kafka-server';
import { showRecord } from './kafka-records';
import { readTail, tail } from './kafka-tail';
import { groupRows, lagLines, partitionLags, topicRows, verifyTopics } from './kafka-views';
import { StackError } from './paths';

/** `npm run kafka -- …`: what Kafka has, on the running stack or anywhere. */

const USAGE = `npm run kafka -- groups                         consumer groups: state, members, lag in records and seconds
npm run kafka -- lag                            how far each group is behind, from the log's ends, whoever consumes
npm run kafka -- lag GROUP                      the same per partition
npm run kafka -- topics                         topics: partitions, replicas, records, how long they are kept
npm run kafka -- tail TOPIC [--key K] [--from-time T | --from-beginning] [--max n]
                                                records as they come, one per line; K: a conversation or a user,
                                                T: 2026-11-25T10:00:00Z, or so long ago: 90s, 15m, 2h
npm run kafka -- verify                         what prepare expects of topics against what is; 1: something differs
npm run kafka -- groups --all                   every partition of every group (Kafka's own table; Java)
npm run kafka -- topics --all                   every partition of every topic (Kafka's own table; Java)
npm run kafka -- <class> [arguments]            any tool of Kafka by its class (Java), e.g.
                                                org.apache.kafka.tools.GetOffsetShell --topic chat.messages.v1
KAFKA_BROKERS=host:port chooses another Kafka than the running stack's.`;

const TOOLS = 'org.apache.kafka.tools';

/** A Java class and its arguments. */
export interface ToolCall {
  main: string;
  args: string[];
}

/** Kafka's own tool for these words; undefined: none is needed. @throws StackError */
export function toolCall(args: readonly string[], brokers: string): ToolCall | undefined {
  const [command = '', first, ...rest] = args;
  const server = ['--bootstrap-server', brokers];
  if (first === '--all' && command === 'groups') {
    const main = `${TOOLS}.consumer.group.ConsumerGroupCommand`;
    return { main, args: [...server, '--describe', '--all-groups', ...rest] };
  }
  if (first === '--all' && command === 'topics') {
    return { main: `${TOOLS}.TopicCommand`, args: [...server, '--describe', ...rest] };
  }
  if (!command.includes('.')) return undefined;
  const own = args.slice(1);
  return { main: command, args: own.includes('--bootstrap-server') ? own : [...server, ...own] };
}

async function runJava(call: ToolCall): Promise<number> {
  const { kafkaLibs } = await ensureServers((line) => process.stderr.write(`${line}\n`));
  const jvm = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dlog4j2.level=ERROR'];
  const child = spawn(
    javaCommand(),
    [...jvm, '-cp', join(kafkaLibs, '*'), call.main, ...call.args],
    { stdio: 'inherit' },
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  process.on('disconnect', () => child.kill());
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new StackError(`Java could not be run: ${error.message}.`)),
    );
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Shows records until it is stopped; the exit status. */
async function follow(args: readonly string[], brokers: string): Promise<number> {
  const wanted = understood(() => readTail(args, Date.now()));
  const ending = new AbortController();
  let status = 0;
  const end = (code: number) => () => {
    status = code;
    ending.abort();
  };
  process.on('SIGINT', end(130)).on('SIGTERM', end(143)).on('disconnect', end(0));
  // whoever reads has seen enough
  process.stdout.on('error', end(0));
  await asking(brokers, (kafka) =>
    tail(kafka, wanted, (record) => print([showRecord(record)]), ending.signal),
  );
  return status;
}

function understood<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StackError(`${error instanceof Error ? error.message : String(error)}.\n${USAGE}`);
  }
}

/** What `prepare` would make with the variables that are set here. */
function wantedTopics(brokers: string): TopicSpec[] {
  return specsOf(loadEnv(kafkaEnv, { ...process.env, KAFKA_BROKERS: brokers }));
}

/** Runs what needs no Java; the exit status. */
async function look(args: readonly string[], brokers: string): Promise<number> {
  const [command, ...words] = args;
  if (command === 'tail') return follow(words, brokers);
  const [group, ...more] = words;
  const tooMany = more.length > 0 || (group !== undefined && command !== 'lag');
  if (tooMany) throw new StackError(`${command} takes no "${more[0] ?? group}".\n${USAGE}`);
  const now = (): number => Date.now();
  switch (command) {
    case 'groups':
      print(await asking(brokers, (kafka) => groupRows(kafka, now)));
      return 0;
    case 'lag': {
      const lags = await asking(brokers, (kafka) => partitionLags(kafka, now));
      print(lagLines(lags, group));
      return 0;
    }
    case 'topics':
      print(await asking(brokers, (kafka) => topicRows(kafka, wantedTopics(brokers))));
      return 0;
    case 'verify': {
      const { ok, lines } = await asking(brokers, (kafka) =>
        verifyTopics(kafka, wantedTopics(brokers)),
      );
      print(lines);
      return ok ? 0 : 1;
    }
    default:
      throw new StackError(`Unknown command "${command}".\n${USAGE}`);
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args[0]?.endsWith('help')) {
    print([USAGE]);
    return 0;
  }
  const brokers = brokersInUse();
  const call = toolCall(args, brokers);
  return call ? runJava(call) : look(args, brokers);
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      process.stderr.write(`${error instanceof StackError ? error.message : String(error)}\n`);
      process.exit(1);
    },
  );
}
