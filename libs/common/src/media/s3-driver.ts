import type { S3Client } from '@aws-sdk/client-s3';
import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { assertKey, type ByteRange, type MediaDriver } from './media-driver';

/** Bounds of a request, in milliseconds: connecting, and silence afterwards. */
const CONNECT_MS = 2_000;
const SILENCE_MS = 10_000;
const SOCKETS = 128;

export interface S3Options {
  bucket: string;
  region: string;
  /** Address of a server other than Amazon's. The bucket is then part of the path. */
  endpoint?: string;
  /** Absent: the SDK's own chain (environment, profile, role of the machine). */
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

interface Loaded {
  sdk: typeof import('@aws-sdk/client-s3');
  client: S3Client;
}

/**
 * Objects in a bucket of S3 or a compatible server. An object appears once it was sent completely.
 * The SDK is loaded at first use.
 */
export class S3Driver implements MediaDriver {
  readonly scratchDir = join(tmpdir(), 'tidings-media-incoming');
  private loaded: Promise<Loaded> | null = null;

  constructor(private readonly options: S3Options) {}

  async put(key: string, path: string, type: string): Promise<void> {
    const { sdk, client } = await this.load();
    const { size } = await stat(path);
    // An empty stream would be sent without a length.
    const body = size === 0 ? '' : createReadStream(path);
    const object = { Body: body, ContentLength: size, ContentType: type };
    await client.send(new sdk.PutObjectCommand({ ...this.place(key), ...object }));
  }

  async open(key: string, range?: ByteRange): Promise<Readable | null> {
    const place = this.place(key);
    const { sdk, client } = await this.load();
    const bytes = range && `bytes=${range.start}-${range.end}`;
    try {
      const { Body } = await client.send(new sdk.GetObjectCommand({ ...place, Range: bytes }));
      if (!(Body instanceof Readable)) throw new Error('the object has no stream');
      return Body;
    } catch (error) {
      return nullWhenMissing(error);
    }
  }

  async stat(key: string): Promise<{ size: number } | null> {
    const place = this.place(key);
    const { sdk, client } = await this.load();
    try {
      const { ContentLength = 0 } = await client.send(new sdk.HeadObjectCommand(place));
      return { size: ContentLength };
    } catch (error) {
      return nullWhenMissing(error);
    }
  }

  async remove(key: string): Promise<void> {
    const place = this.place(key);
    const { sdk, client } = await this.load();
    await client.send(new sdk.DeleteObjectCommand(place));
  }

  async check(): Promise<void> {
    const { sdk, client } = await this.load();
    await client.send(new sdk.HeadBucketCommand({ Bucket: this.options.bucket }));
    await mkdir(this.scratchDir, { recursive: true, mode: 0o750 });
  }

  close(): void {
    void this.loaded?.then(({ client }) => client.destroy()).catch(() => undefined);
  }

  private place(key: string): { Bucket: string; Key: string } {
    assertKey(key);
    return { Bucket: this.options.bucket, Key: key };
  }

  private load(): Promise<Loaded> {
    this.loaded ??= import('@aws-sdk/client-s3').then((sdk) => {
      const { region, endpoint, credentials } = this.options;
      const client = new sdk.S3Client({
        region,
        endpoint,
        credentials,
        forcePathStyle: endpoint !== undefined,
        requestChecksumCalculation: 'WHEN_REQUIRED',
        responseChecksumValidation: 'WHEN_REQUIRED',
        requestHandler: {
          connectionTimeout: CONNECT_MS,
          socketTimeout: SILENCE_MS,
          httpAgent: { maxSockets: SOCKETS },
          httpsAgent: { maxSockets: SOCKETS },
        },
      });
      return { sdk, client };
    });
    return this.loaded;
  }
}

function nullWhenMissing(error: unknown): null {
  const { name } = error as { name?: unknown };
  if (name === 'NoSuchKey' || name === 'NotFound') return null;
  throw error;
}
