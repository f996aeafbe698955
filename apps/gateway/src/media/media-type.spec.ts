import { declaredType, servedType, sniffImage, UNKNOWN_TYPE } from './media-type';

const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

describe('sniffImage', () => {
  it.each([
    ['\xff\xd8\xff\xe0JFIF', 'image/jpeg'],
    ['\x89PNG\r\n\x1a\n....', 'image/png'],
    ['GIF87a......', 'image/gif'],
    ['GIF89a=1;alert()', 'image/gif'],
    ['RIFF\x10\0\0\0WEBPVP8 ', 'image/webp'],
    ['RIFF\x10\0\0\0WAVEfmt ', null],
    ['\x89PNG\n\x1a\n', null],
    ['<svg xmlns="http://www.w3.org/2000/svg">', null],
    ['\xff\xd8', null],
    ['BM......', null],
    ['', null],
  ])('%j is %s', (head, type) => expect(sniffImage(bytes(head))).toBe(type));
});

describe('declaredType', () => {
  it.each([
    ['text/plain; charset=utf-8', 'text/plain'],
    ['Image/PNG', 'image/png'],
    ['image/svg+xml', 'image/svg+xml'],
    [undefined, UNKNOWN_TYPE],
    ['', UNKNOWN_TYPE],
    ['nonsense', UNKNOWN_TYPE],
    ['text/html\r\nX: y', UNKNOWN_TYPE],
    [`a/${'b'.repeat(126)}`, UNKNOWN_TYPE],
  ])('of %j is %s', (header, type) => expect(declaredType(header)).toBe(type));
});

describe('servedType', () => {
  it.each([
    ['application/pdf', 'application/pdf'],
    ['video/mp4', 'video/mp4'],
    ['text/html', UNKNOWN_TYPE],
    ['application/xhtml+xml', UNKNOWN_TYPE],
    ['text/javascript', UNKNOWN_TYPE],
    ['image/svg+xml', UNKNOWN_TYPE],
    ['text/plainer', UNKNOWN_TYPE],
  ])('of %s is %s', (type, served) => expect(servedType(type)).toBe(served));
});
