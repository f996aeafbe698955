import type { PassThrough } from 'node:stream';

/** All that has been written to `stream` since it was read last. From Node 26 on one read gives one piece. */
export function written(stream: PassThrough): string {
  let text = '';
  for (let piece = stream.read(); piece !== null; piece = stream.read()) text += String(piece);
  return text;
}
