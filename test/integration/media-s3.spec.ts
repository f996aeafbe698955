import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMediaDriver, mediaEnv } from '@tidings/common/media/media-env';
import { S3Driver } from '@tidings/common/media/s3-driver';
import { S3_BUCKET, startS3Server } from '../../tools/stack/s3-server';
import type { ServerHandle } from '../../tools/stack/server-handle';
import { describeMediaDriver } from '../support/media-driver-suite';

const ENV = {
  MEDIA_S3_BUCKET: S3_BUCKET,
  MEDIA_S3_ACCESS_KEY_ID: 'test',
  MEDIA_S3_SECRET_ACCESS_KEY: 'test',
};

describe('media: the S3 driver', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-s3-'));
  let server: ServerHandle;

  beforeAll(async () => {
    server = await startS3Server({ dir });
  }, 240_000);
  afterAll(async () => {
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const driver = (over: Record<string, string> = {}) =>
    createMediaDriver(mediaEnv.parse({ ...ENV, MEDIA_S3_ENDPOINT: server.url, ...over }));

  describeMediaDriver(() => driver());

  it('is the one that a bucket in the environment asks for', () => {
    expect(driver()).toBeInstanceOf(S3Driver);
    expect(() => driver({ MEDIA_S3_SECRET_ACCESS_KEY: '' })).toThrow();
  });

  it('says so when the bucket is not there, and when nobody answers', async () => {
    const missing = driver({ MEDIA_S3_BUCKET: 'elsewhere' });
    await expect(missing.check()).rejects.toThrow();
    const away = driver({ MEDIA_S3_ENDPOINT: 'http://127.0.0.1:1' });
    await expect(away.stat('abcdef01')).rejects.toThrow('ECONNREFUSED');
    for (const one of [missing, away]) one.close();
  });
});
