import { Kafka, logLevel, type KafkaConfig } from 'kafkajs';
import { calmLog, type KafkaLog } from './calm-log';
import { hardenClusters, type OutOfRange } from './kafkajs-internals';
import { dialWith } from './socket';

export type { Consumer, ConsumerCrashEvent, EachBatchPayload, Offsets, Producer } from 'kafkajs';

/** How to reach the brokers; times in milliseconds. */
export interface KafkaOptions {
  /** Seed brokers, `host:port`. */
  brokers: string[];
  /** The client's name in the brokers' logs and metrics. */
  clientId: string;
  log?: KafkaLog;
  ssl?: KafkaConfig['ssl'];
  sasl?: KafkaConfig['sasl'];
  /** How long opening a connection may take; default 1000. */
  connectionTimeout?: number;
  /**
   * How long one request may take; default 5000. Join and fetch requests add their own waiting
   * time.
   */
  requestTimeout?: number;
  /**
   * Maps an advertised broker address to the one to dial (a proxy or tunnel). Default: as
   * advertised.
   */
  dial?: (address: { host: string; port: number }) => { host: string; port: number };
}

/** Creates a process' Kafka connections. Holds no connection itself. */
export interface KafkaClient {
  readonly options: Readonly<KafkaOptions>;
  /** A new kafkajs instance; `tuning` overrides the times for this one. */
  instance(tuning?: KafkaTuning): Kafka;
}

/** Overrides of {@link KafkaOptions} for one use. */
interface KafkaTuning {
  connectionTimeout?: number;
  requestTimeout?: number;
  /**
   * How often kafkajs itself repeats connects and look-ups of metadata and coordinators; default 3.
   */
  retries?: number;
  /** For the log consumer: told about fetches outside the log. Its messages are decoded records. */
  onOutOfRange?: OutOfRange;
}

const CONNECTION_TIMEOUT_MS = 1_000;
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Describes the Kafka cluster for writers, consumers and watermarks, which take it as `kafka`.
 * Nothing connects until one of them starts.
 */
export function createKafka(options: KafkaOptions): KafkaClient {
  const logCreator = calmLog(options.log);
  return {
    options,
    instance(tuning = {}) {
      const connectionTimeout =
        tuning.connectionTimeout ?? options.connectionTimeout ?? CONNECTION_TIMEOUT_MS;
      const kafka = new Kafka({
        brokers: options.brokers,
        clientId: options.clientId,
        ssl: options.ssl,
        sasl: options.sasl,
        connectionTimeout,
        requestTimeout: tuning.requestTimeout ?? options.requestTimeout ?? REQUEST_TIMEOUT_MS,
        enforceRequestTimeout: true,
        retry: { retries: tuning.retries ?? 3, initialRetryTime: 100, maxRetryTime: 1_000 },
        socketFactory: dialWith({ connectionTimeout, dial: options.dial }),
        logLevel: logLevel.INFO,
        logCreator,
      });
      return hardenClusters(kafka, tuning.onOutOfRange);
    },
  };
}
