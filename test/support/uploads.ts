import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import type { MediaAnswer } from '@tidings/protocol/http';
import type { ChatUser } from './chat-user';

export type Bytes = Uint8Array | ReadableStream<Uint8Array>;

const UPLOAD_TIMEOUT_MS = 60_000;

/** Uploads bytes for a conversation; never throws for an error status. */
export async function upload(
  user: ChatUser,
  conversationId: string,
  bytes: Bytes,
  type = 'image/png',
  headers: Record<string, string> = {},
): Promise<{ status: number; body: MediaAnswer & { code?: string } }> {
  const response = await fetch(`${user.bases[0]}/v1/media`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${user.accessToken}`,
      'content-type': type,
      'x-conversation-id': conversationId,
      ...headers,
    },
    body: bytes as Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>,
    ...(bytes instanceof ReadableStream && { duplex: 'half' as const }),
    signal: AbortSignal.timeout(UPLOAD_TIMEOUT_MS),
  });
  return { status: response.status, body: (await response.json()) as MediaAnswer };
}

/** A small image of one colour. */
export function smallPng(background = 'red'): Promise<Buffer> {
  return sharp({ create: { width: 9, height: 5, channels: 3, background } })
    .png()
    .toBuffer();
}

/** Names of all files below a folder, in order; none when it is not there. */
export function filesBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
