import type { Connection } from './connection';

/** The connections of this gateway by id: all that it knows of who is where. */
export class ConnectionTable {
  private readonly byId = new Map<string, Connection>();
  private made = 0;

  get size(): number {
    return this.byId.size;
  }

  /** An id for the next connection; unique in this process. */
  nextId(): string {
    return (++this.made).toString(36);
  }

  add(connection: Connection): void {
    this.byId.set(connection.id, connection);
  }

  get(id: string): Connection | undefined {
    return this.byId.get(id);
  }

  remove(connection: Connection): void {
    this.byId.delete(connection.id);
  }

  /** All connections, in the order in which they came. */
  all(): IterableIterator<Connection> {
    return this.byId.values();
  }
}
