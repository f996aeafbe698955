const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/**
 * Partition of a key: positive murmur2 modulo the partition count, the same as Kafka's Java client
 * and kafkajs' DefaultPartitioner choose for the key's UTF-8 bytes.
 * Source: Apache Kafka, `org.apache.kafka.common.utils.Utils.murmur2`.
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions;
}

/** 32-bit murmur2 with Kafka's seed; the result is a signed integer. */
export function murmur2(data: Uint8Array): number {
  const length = data.length;
  let h = SEED ^ length;
  const blocks = length & ~3;
  for (let i = 0; i < blocks; i += 4) {
    let k = data[i]! | (data[i + 1]! << 8) | (data[i + 2]! << 16) | (data[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    k = Math.imul(k, M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = length & 3;
  if (rest === 3) h ^= data[blocks + 2]! << 16;
  if (rest >= 2) h ^= data[blocks + 1]! << 8;
  if (rest >= 1) h = Math.imul(h ^ data[blocks]!, M);
  h ^= h >>> 13;
  h = Math.imul(h, M);
  return h ^ (h >>> 15);
}
