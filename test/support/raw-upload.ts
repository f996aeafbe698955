import { connect } from 'node:net';
import { once } from 'node:events';
import type { ChatUser } from './chat-user';

/** What became of an upload over a raw socket. */
export interface RawAnswer {
  /** Status of the first answer; null when the connection ended without one. */
  status: number | null;
  /** The code of a problem document; null: it is none. */
  code: string | null;
  text: string;
  /** Bytes of the body that were written before the answer was seen or the connection ended. */
  written: number;
}

const RAW_TIMEOUT_MS = 30_000;

/**
 * Uploads over a raw socket with headers as given, so that they may lie: writes pieces until there
 * are no more, an answer comes or the connection ends; then waits for one of the last two.
 */
export async function rawUpload(
  user: ChatUser,
  conversationId: string,
  headers: readonly string[],
  pieces: Iterable<Uint8Array>,
): Promise<RawAnswer> {
  const { port, hostname } = new URL(user.bases[0]!);
  const socket = connect(Number(port), hostname);
  const seen = { text: '' };
  const stop = new AbortController();
  socket.on('data', (data: Buffer) => {
    seen.text += data.toString('latin1');
    if (/\r\n\r\n[^]*\}/.test(seen.text)) stop.abort();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => stop.abort());
  socket.setTimeout(RAW_TIMEOUT_MS, () => socket.destroy());
  const head = [
    'POST /v1/media HTTP/1.1',
    `Host: ${hostname}`,
    `Authorization: Bearer ${user.accessToken}`,
    `X-Conversation-Id: ${conversationId}`,
    ...headers,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  let written = 0;
  for (const piece of pieces) {
    if (stop.signal.aborted) break;
    written += piece.length;
    if (!socket.write(piece)) {
      await once(socket, 'drain', { signal: stop.signal }).catch(() => undefined);
    }
  }
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  const status = /^HTTP\/1\.1 (\d{3})/.exec(seen.text)?.[1];
  const code = /\r\n\r\n[^]*"code":"(\w+)"/.exec(seen.text)?.[1] ?? null;
  socket.destroy();
  return { status: status === undefined ? null : Number(status), code, text: seen.text, written };
}

/** A chunk of a body with `Transfer-Encoding: chunked`. */
export function chunk(bytes: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
}
