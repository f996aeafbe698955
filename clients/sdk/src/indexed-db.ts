import { StoreError } from './errors';

/** The part of the Indexed Database API 3.0 (W3C) that is used here; the browser's types need the DOM. */
interface IdbRequest<T = unknown> {
  readonly result: T;
  readonly error: unknown;
  onsuccess: (() => void) | null;
  onerror: ((event: { preventDefault(): void }) => void) | null;
}

interface IdbOpenRequest extends IdbRequest<IdbDatabase> {
  onupgradeneeded: (() => void) | null;
  onblocked: (() => void) | null;
}

export interface IdbObjectStore {
  add(value: unknown): IdbRequest;
  delete(key: unknown): IdbRequest;
  getAll(): IdbRequest<unknown[]>;
  index(name: string): { getKey(value: string): IdbRequest };
  createIndex(name: string, keyPath: string, options: { unique: boolean }): unknown;
}

export interface IdbTransaction {
  readonly error: unknown;
  objectStore(name: string): IdbObjectStore;
  oncomplete: (() => void) | null;
  onabort: (() => void) | null;
}

export interface IdbDatabase {
  createObjectStore(name: string, options: { autoIncrement: boolean }): IdbObjectStore;
  transaction(
    store: string,
    mode: 'readonly' | 'readwrite',
    options?: { durability: 'strict' | 'relaxed' },
  ): IdbTransaction;
  close(): void;
  onversionchange: (() => void) | null;
  onclose: (() => void) | null;
}

/** `indexedDB` of a browser, or a compatible object. */
export interface IdbFactory {
  open(name: string, version: number): IdbOpenRequest;
}

/** Opens a database. A new one is set up by `upgrade`. */
export function openDatabase(
  factory: IdbFactory,
  name: string,
  upgrade: (database: IdbDatabase) => void,
): Promise<IdbDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, 1);
    request.onupgradeneeded = () => upgrade(request.result);
    request.onblocked = () => reject(new StoreError(`The database ${name} is in use elsewhere`));
    request.onerror = () => reject(toError(request.error));
    request.onsuccess = () => resolve(request.result);
  });
}

/**
 * Resolves when a transaction is committed. `strict`: when it would survive a crash of the machine.
 */
export function committed(transaction: IdbTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    // Every failed request that nobody prevents ends here, too.
    transaction.onabort = () => reject(toError(transaction.error));
  });
}

function toError(error: unknown): Error {
  const said = error instanceof Error ? error.message : String(error);
  return new StoreError(`The database failed: ${said}`, error);
}
