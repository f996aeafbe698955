import { hostname, userInfo } from 'node:os';
import type { BookEntry, LetterBook } from '@tidings/common/kafka/dead-letters/letter-book';
import { settledBy } from '@tidings/common/kafka/dead-letters/letter-book';
import { LetterMarks } from '@tidings/common/kafka/dead-letters/letter-marks';
import type { KafkaClient } from '@tidings/common/kafka/wire/client';
import { asking, brokersInUse } from '../stack/brokers';
import { StackError } from '../stack/paths';
import { printable } from '../stack/printable';
import { type DlqCommand, DlqUsageError, readCommand, USAGE } from './command';
import { DeadLetterShelf } from './dead-letter-shelf';
import { judge } from './judge';
import { listEnd, listLines, showLines } from './letter-text';
import { Replay } from './replay';

/** `npm run dlq -- …`: what consumers have set aside, by whoever reaches Kafka. */

function print(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function say(...lines: string[]): void {
  process.stderr.write(lines.map((line) => `${line}\n`).join(''));
}

const by = `${userInfo().username}@${hostname()}`;

async function run(command: DlqCommand, kafka: KafkaClient): Promise<number> {
  const shelf = new DeadLetterShelf(kafka);
  const marks = new LetterMarks(kafka);
  try {
    const book = await shelf.read();
    switch (command.do) {
      case 'list':
        return list(command, book);
      case 'show':
        return await show(command, book, shelf);
      case 'drop':
        return await drop(command, book, marks);
      case 'replay': {
        const replay = new Replay({ kafka, shelf, marks, by, say });
        const entries = command.ids === 'all' ? book.open() : named(command.ids, book);
        if (entries.length === 0) print(listEnd(0, 0, false));
        let failed = 0;
        for (const entry of entries) {
          const { ok, says } = await replay.run(entry, command.anyway);
          if (!ok) failed++;
          print(printable(`${entry.id} ${says}`));
        }
        return failed === 0 ? 0 : 1;
      }
    }
  } finally {
    await marks.close();
    shelf.close();
  }
}

/** @throws StackError when one of them does not exist */
function named(ids: readonly string[], book: LetterBook): BookEntry[] {
  return ids.map((id) => {
    const entry = book.find(id);
    if (!entry)
      throw new StackError(`There is no dead letter ${printable(id)}: npm run dlq -- list`);
    return entry;
  });
}

function list({ all, max }: Extract<DlqCommand, { do: 'list' }>, book: LetterBook): number {
  const entries = (all ? book.all() : book.open()).reverse();
  const shown = entries.slice(0, max);
  print(...listLines(shown), listEnd(shown.length, entries.length, all));
  return 0;
}

async function show(
  { id, whole }: Extract<DlqCommand, { do: 'show' }>,
  book: LetterBook,
  shelf: DeadLetterShelf,
): Promise<number> {
  const [entry] = named([id], book);
  const record = await shelf.recordOf(entry!);
  if (!record) throw new StackError(`${printable(id)} is gone: retention has taken it.`);
  const judged = judge(entry!.origin.topic, record);
  const judgement = judged.readable
    ? 'this version can read it: it may be replayed'
    : `this version cannot read it: ${judged.why}`;
  print(...showLines(entry!, record, judgement, whole));
  return 0;
}

async function drop(
  { ids, reason }: Extract<DlqCommand, { do: 'drop' }>,
  book: LetterBook,
  marks: LetterMarks,
): Promise<number> {
  for (const entry of named(ids, book)) {
    const settled = settledBy(entry);
    if (!settled) await marks.put(entry, { mark: 'dropped', by, reason, to: '' });
    print(
      printable(
        `${entry.id} ${settled ? `was ${settled.mark} by ${settled.by}: nothing to do` : 'is dropped'}`,
      ),
    );
  }
  return 0;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args[0]?.endsWith('help')) {
    print(USAGE);
    return args.length === 0 ? 1 : 0;
  }
  try {
    const command = readCommand(args);
    return await asking(brokersInUse(), (kafka) => run(command, kafka));
  } catch (error) {
    const usage = error instanceof DlqUsageError ? [USAGE] : [];
    say(error instanceof Error ? error.message : String(error), ...usage);
    return 1;
  }
}

void main(process.argv.slice(2)).then((status) => (process.exitCode = status));
