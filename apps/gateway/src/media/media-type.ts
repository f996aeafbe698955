/** Formats that are taken as images, by their MIME types. */
export type ImageType = 'image/jpeg' | 'image/png' | 'image/webp' | 'image/gif';

/** What any file is that says nothing about itself. */
export const UNKNOWN_TYPE = 'application/octet-stream';

/** How many first bytes {@link sniffImage} looks at. */
export const SNIFF_BYTES = 12;

/** The image format that the first bytes of a file tell of (WHATWG MIME Sniffing, §6.1); else null. */
export function sniffImage(head: Uint8Array): ImageType | null {
  if (startsWith(head, 0, [0xff, 0xd8, 0xff])) return 'image/jpeg';
  if (startsWith(head, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'image/png';
  if (isText(head, 0, 'GIF87a') || isText(head, 0, 'GIF89a')) return 'image/gif';
  if (isText(head, 0, 'RIFF') && isText(head, 8, 'WEBP')) return 'image/webp';
  return null;
}

/** The MIME type of a `Content-Type` header, without parameters; {@link UNKNOWN_TYPE} for nonsense. */
export function declaredType(header: string | undefined): string {
  const type = (header ?? '').split(';', 1)[0]!.trim().toLowerCase();
  return type.length <= 127 && /^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/.test(type)
    ? type
    : UNKNOWN_TYPE;
}

/** Types of files that no browser runs as a page or a script. */
const INERT = /^(audio|video)\/|^(text\/plain|application\/(pdf|zip|gzip))$/;

/** The `Content-Type` under which a file's bytes go out. */
export function servedType(type: string): string {
  return INERT.test(type) ? type : UNKNOWN_TYPE;
}

function startsWith(bytes: Uint8Array, at: number, expected: readonly number[]): boolean {
  return expected.every((byte, i) => bytes[at + i] === byte);
}

function isText(bytes: Uint8Array, at: number, expected: string): boolean {
  return startsWith(
    bytes,
    at,
    Array.from(expected, (c) => c.charCodeAt(0)),
  );
}
