import type { Admin } from 'kafkajs';
import type { KafkaClient } from './client';

/**
 * Asks the brokers over a connection of its own.
 * @throws the error of kafkajs when no broker answers
 */
export async function withAdmin<T>(
  kafka: KafkaClient,
  work: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = kafka.instance().admin();
  try {
    await admin.connect();
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
