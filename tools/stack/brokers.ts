import { type KafkaClient, createKafka } from '@tidings/common/kafka/wire/client';
import { StackError, dataDir } from './paths';
import { readStackFile } from './stack-file';

/**
 * The Kafka that `KAFKA_BROKERS` names, else that of the stack that runs here: `host:port`, comma separated.
 * @throws StackError
 */
export function brokersInUse(): string {
  const brokers = process.env.KAFKA_BROKERS || readStackFile(dataDir())?.brokers;
  if (brokers) return brokers;
  throw new StackError(
    'No stack runs here: start one with `npm start`, or name a Kafka with KAFKA_BROKERS.',
  );
}

/**
 * Asks Kafka, with a plain sentence when it does not answer.
 * @throws StackError
 */
export async function asking<T>(
  brokers: string,
  work: (kafka: KafkaClient) => Promise<T>,
): Promise<T> {
  const kafka = createKafka({
    brokers: brokers.split(',').map((one) => one.trim()),
    clientId: 'tidings-tools',
  });
  try {
    return await work(kafka);
  } catch (error) {
    if (error instanceof StackError) throw error;
    throw new StackError(
      `Kafka at ${brokers} does not answer (${error instanceof Error ? error.message : error}).`,
    );
  }
}
