import { UnsupportedError } from './errors';
import {
  committed,
  openDatabase,
  type IdbDatabase,
  type IdbFactory,
  type IdbObjectStore,
} from './indexed-db';
import type { OutboxRecord, OutboxStore } from './outbox-store';

const STORE = 'messages';
const BY_ID = 'messageId';

/**
 * Keeps an outbox in a browser's IndexedDB, under a name that the application chooses (one per user
 * and device). `add` resolves when the transaction is committed with strict durability. Only one
 * tab at a time may use it.
 */
export class IndexedDbOutboxStore implements OutboxStore {
  private database: Promise<IdbDatabase> | null = null;
  private readonly underWay = new Set<Promise<void>>();
  private readonly factory: IdbFactory;

  /** @throws UnsupportedError when this environment has no IndexedDB */
  constructor(
    private readonly name: string,
    factory?: IdbFactory,
  ) {
    const found = factory ?? (globalThis as unknown as { indexedDB?: IdbFactory }).indexedDB;
    if (!found) throw new UnsupportedError('IndexedDB');
    this.factory = found;
  }

  /** What is kept, in the order it was added: keys are counted up. */
  async load(): Promise<OutboxRecord[]> {
    const transaction = (await this.open()).transaction(STORE, 'readonly');
    const request = transaction.objectStore(STORE).getAll();
    await committed(transaction);
    return request.result.filter(isRecord);
  }

  async add(record: OutboxRecord): Promise<void> {
    await this.change((store) => {
      const request = store.add(record);
      request.onerror = (event) => {
        // It is kept already and stays where it is: its id is unique.
        if ((request.error as Error).name === 'ConstraintError') event.preventDefault();
      };
    });
  }

  /** A failed removal is made up for by the next `load`: sending again does no harm. */
  remove(messageId: string): void {
    this.change((store) => {
      const key = store.index(BY_ID).getKey(messageId);
      key.onsuccess = () => {
        if (key.result !== undefined) store.delete(key.result);
      };
    }).catch(() => undefined);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.underWay);
    const database = await this.database?.catch(() => null);
    this.database = null;
    database?.close();
  }

  private change(work: (store: IdbObjectStore) => void): Promise<void> {
    const changed = this.carryOut(work).finally(() => this.underWay.delete(changed));
    this.underWay.add(changed);
    return changed;
  }

  private async carryOut(work: (store: IdbObjectStore) => void): Promise<void> {
    const database = await this.open();
    const transaction = database.transaction(STORE, 'readwrite', { durability: 'strict' });
    work(transaction.objectStore(STORE));
    await committed(transaction);
  }

  /** Opens the database; reopens it when the browser has closed it. */
  private open(): Promise<IdbDatabase> {
    if (this.database) return this.database;
    const opening = openDatabase(this.factory, this.name, (database) => {
      const store = database.createObjectStore(STORE, { autoIncrement: true });
      store.createIndex(BY_ID, BY_ID, { unique: true });
    });
    const forget = (): void => {
      if (this.database === opening) this.database = null;
    };
    opening.then((database) => {
      database.onclose = forget;
      // Another tab wants to delete or upgrade the database: it must not wait for us.
      database.onversionchange = () => {
        forget();
        database.close();
      };
    }, forget);
    return (this.database = opening);
  }
}

function isRecord(value: unknown): value is OutboxRecord {
  const { messageId, content } = (value ?? {}) as Partial<OutboxRecord>;
  return typeof messageId === 'string' && typeof content === 'object';
}
