import { createWriteStream } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import type { Message, Outgoing, Recipient, TidingsClient } from '@tidings/sdk';
import { LIMITS } from '@tidings/common/contracts/limits';
import { safeLine } from './safe-text';

/** MIME types by the endings that people meet most; the server looks at the bytes of images. */
const TYPES: Partial<Record<string, string>> = {
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.gif': 'image/gif',
  '.pdf': 'application/pdf',
  '.txt': 'text/plain',
  '.zip': 'application/zip',
};
const UNKNOWN_TYPE = 'application/octet-stream';
/** How many shown files keep their numbers. */
const MOST_SHOWN = 1_000;

interface Shown {
  mediaId: string;
  name: string;
}

/** Files of the chats: sends them, numbers those on the screen, saves them. */
export class Files {
  private readonly shown = new Map<number, Shown>();
  private readonly numbers = new Map<string, number>();
  private last = 0;

  constructor(private readonly client: TidingsClient) {}

  /** The number under which a message's file can be saved; 0: it has none. */
  number({ content, deleted }: Message): number {
    if (deleted || (content.kind !== 'image' && content.kind !== 'file')) return 0;
    const { mediaId } = content;
    const known = this.numbers.get(mediaId);
    if (known !== undefined) return known;
    const number = ++this.last;
    const name = content.kind === 'file' ? content.name : `image-${number}${ending(content.type)}`;
    this.shown.set(number, { mediaId, name });
    this.numbers.set(mediaId, number);
    this.forget(number - MOST_SHOWN);
    return number;
  }

  /** Uploads a file of this machine and sends it. A caption asks for an image. */
  async send(recipient: Recipient, path: string, caption?: string): Promise<Outgoing> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > LIMITS.fileBytes)
        throw new Error(`The file is too large: ${LIMITS.fileBytes} bytes`);
      const type = TYPES[extname(path).toLowerCase()] ?? UNKNOWN_TYPE;
      const data = new Uint8Array(await file.readFile());
      if (caption !== undefined)
        return await this.client.sendImage(recipient, { data, type, caption });
      return await this.client.sendFile(recipient, { data, type, name: basename(path) });
    } finally {
      await file.close();
    }
  }

  /** Saves a shown file; gives its link. Never writes over what is there. */
  async save(number: number, path?: string): Promise<string> {
    const shown = this.shown.get(number);
    if (!shown) throw new Error('No file on the screen has this number');
    const target = await freePath(path ?? safeName(shown.name));
    const answer = await this.client.api.download(shown.mediaId);
    try {
      if (!answer.body) throw new Error('The server sent nothing');
      const bytes = Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]);
      await pipeline(bytes, createWriteStream(target, { flags: 'wx', mode: 0o600 }));
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') await rm(target, { force: true });
      throw error;
    }
    return pathToFileURL(target).href;
  }

  private forget(number: number): void {
    const old = this.shown.get(number);
    if (!old) return;
    this.shown.delete(number);
    this.numbers.delete(old.mediaId);
  }
}

/** A name of others as a name in the current folder: no path, nothing hidden. */
export function safeName(name: string): string {
  const last = safeLine(name).split(/[/\\]/).at(-1)!;
  const plain = last.replace(/[<>:"|?*]/g, '_').replace(/^\.+/, '');
  return plain.trim() === '' ? 'file' : plain;
}

function ending(type: string): string {
  return Object.keys(TYPES).find((key) => TYPES[key] === type) ?? '';
}

/** The path itself, or with a number before its ending when something is there. */
async function freePath(path: string): Promise<string> {
  const wanted = resolve(path);
  const end = extname(wanted);
  const stem = wanted.slice(0, wanted.length - end.length);
  for (let n = 1; ; n++) {
    const candidate = n === 1 ? wanted : `${stem}-${n}${end}`;
    if (!(await stat(candidate).catch(() => null))) return candidate;
  }
}
