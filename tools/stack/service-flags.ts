import type { ServiceName } from './service-plan';

/**
 * Of the young generation, MiB. Small where messages are delivered: collecting it stops the process
 * for a millisecond or two, and the buffers that wait for it do not add up to a collection of
 * everything. Large in storage, whose answers are a quarter of a megabyte and would be promoted
 * (decision 0018). Dockerfile and docker-compose.yml have the same.
 */
const SEMI_SPACE_MIB = 8;
const SEMI_SPACE_OF: Partial<Record<ServiceName, number>> = { storage: 32 };

/** What Node is told when it runs a service. */
export function serviceFlags(service: ServiceName): string[] {
  return [`--max-semi-space-size=${SEMI_SPACE_OF[service] ?? SEMI_SPACE_MIB}`];
}
