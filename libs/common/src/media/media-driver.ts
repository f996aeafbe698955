import type { Readable } from 'node:stream';

/** A range of an object in bytes, both ends inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Where the bytes of uploads are stored. A key is written once and never changed; it is
 * `[a-z0-9.-]+` with a random beginning ({@link assertKey}).
 */
export interface MediaDriver {
  /** A local folder for unfinished files. Nothing in it outlives its upload for long. */
  readonly scratchDir: string;
  /** Stores a local file under a key; it is safe when this resolves. The file may be gone then. */
  put(key: string, path: string, type: string): Promise<void>;
  /** Reads an object, or a range within it; null when there is none. */
  open(key: string, range?: ByteRange): Promise<Readable | null>;
  /** Size in bytes; null when there is no such object. */
  stat(key: string): Promise<{ size: number } | null>;
  /** Removes an object; one that is not there counts as removed. */
  remove(key: string): Promise<void>;
  /** Whether objects can be stored and read at the moment. Rejects when they cannot. */
  check(): Promise<void>;
  close(): void;
}

/** Throws for a key that could refer to another place than its own. */
export function assertKey(key: string): void {
  if (!/^[a-z0-9][a-z0-9-]{7,63}(\.[a-z]{1,16})?$/.test(key)) throw new Error('not a media key');
}

/** Key of an upload's bytes. */
export function originalKey(mediaId: string): string {
  return mediaId;
}

/** Key of an image's thumbnail. */
export function thumbnailKey(mediaId: string): string {
  return `${mediaId}.thumb`;
}
