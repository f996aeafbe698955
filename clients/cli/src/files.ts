import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, extname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import type { Message, Outgoing, Recipient, TidingsClient } from '@tidings/sdk';
import { LIMITS } from '@tidings/protocol/limits';
import { bytesText } from './message-lines';
import { downloadFolder, targetOf } from './paths';
import { safeLine } from './safe-text';
import { shortened } from './width';

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
const MAX_SHOWN = 1_000;
/** File systems take names of 255 bytes; a number may be put before the ending. */
const NAME_BYTES = 240;
/** So many files of one name may be there already. */
const MAX_SAME = 1_000;

interface Shown {
  mediaId: string;
  name: string;
}

/** What goes with an upload. */
export interface SendOptions {
  /** Asks for an image. */
  caption?: string;
  signal?: AbortSignal;
}

/** Files of the chats: sends them, numbers those on the screen, saves them. */
export class Files {
  private readonly shown = new Map<number, Shown>();
  private readonly numbers = new Map<string, number>();
  private readonly uploads = new Map<object, string>();
  private last = 0;

  constructor(
    private readonly client: TidingsClient,
    /** What {@link progress} says has changed. */
    private readonly changed: () => void = () => undefined,
  ) {}

  /** How far uploads have come: `holiday.jpg 45 % of 3.2 MB`. */
  progress(): string[] {
    return [...this.uploads.values()];
  }

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
    this.forget(number - MAX_SHOWN);
    return number;
  }

  /** Uploads a file of this machine and sends it. */
  async send(
    recipient: Recipient,
    path: string,
    { caption, signal }: SendOptions = {},
  ): Promise<Outgoing> {
    const data = await readWhole(path);
    const name = basename(path);
    const type = TYPES[extname(path).toLowerCase()] ?? UNKNOWN_TYPE;
    const upload = {};
    let over = false;
    const onProgress = (sent: number): void => {
      // One that was given up may tell more yet.
      if (over) return;
      const percent = data.length === 0 ? 100 : Math.floor((100 * sent) / data.length);
      const what = `${shortened(safeLine(name), 24)} ${percent} % of ${bytesText(data.length)}`;
      this.uploads.set(upload, what);
      this.changed();
    };
    onProgress(0);
    try {
      const options = { onProgress, signal };
      if (caption !== undefined) {
        return await this.client.sendImage(recipient, { data, type, caption }, options);
      }
      return await this.client.sendFile(recipient, { data, type, name }, options);
    } finally {
      over = true;
      this.uploads.delete(upload);
      this.changed();
    }
  }

  /**
   * Saves a shown file: into a folder under its own name, or under a name; without a path into the
   * folder for downloads. Never writes over what is there. Gives its link.
   */
  async save(number: number, path?: string, signal?: AbortSignal): Promise<string> {
    const shown = this.shown.get(number);
    if (!shown) throw new Error('No file on the screen has this number');
    const wanted = resolve(path ?? downloadFolder());
    const isFolder = path === undefined || (await isDirectory(wanted));
    const { folder, name } = targetOf(path?.endsWith('/') ? `${wanted}/` : wanted, isFolder);
    const answer = await this.client.api.download(shown.mediaId);
    if (!answer.body) throw new Error('The server sent nothing');
    const { file, target } = await openNew(folder, name ?? safeName(shown.name));
    try {
      const bytes = Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]);
      await pipeline(bytes, file.createWriteStream(), { signal });
    } catch (error) {
      await rm(target, { force: true });
      throw error;
    } finally {
      await file.close().catch(() => undefined);
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

/** A name of others as a name in a folder: no path, nothing hidden, not too long. */
export function safeName(name: string): string {
  const last = safeLine(name).split(/[/\\]/).at(-1)!;
  const plain = last.replace(/[<>:"|?*]/g, '_').replace(/^[.\s]+/, '');
  const end = extname(plain).slice(0, 20);
  let stem = plain.slice(0, plain.length - extname(plain).length);
  while (Buffer.byteLength(stem + end) > NAME_BYTES) stem = [...stem].slice(0, -1).join('');
  const whole = (stem + end).trim();
  return whole === '' ? 'file' : whole;
}

function ending(type: string): string {
  return Object.keys(TYPES).find((key) => TYPES[key] === type) ?? '';
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}

/** The bytes of a file. What is no plain file (a pipe, a device) might never end. */
async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const about = await stat(path);
  if (about.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR', path });
  if (!about.isFile()) throw new Error('That is no file that could be sent');
  if (about.size > LIMITS.fileBytes) {
    const most = bytesText(LIMITS.fileBytes);
    throw new Error(`The file is too large: ${bytesText(about.size)}; at most ${most}`);
  }
  const file = await open(path, 'r');
  try {
    return new Uint8Array(await file.readFile());
  } finally {
    await file.close();
  }
}

/** A new file in a folder, under a name or with a number before its ending; nothing is written over. */
async function openNew(
  folder: string,
  name: string,
): Promise<{ file: FileHandle; target: string }> {
  const end = extname(name);
  const stem = name.slice(0, name.length - end.length);
  for (let n = 1; n <= MAX_SAME; n++) {
    const target = join(folder, n === 1 ? name : `${stem}-${n}${end}`);
    try {
      return { file: await open(target, 'wx', 0o600), target };
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    }
  }
  throw new Error(`There are ${MAX_SAME} files of this name in ${safeLine(folder)}`);
}
