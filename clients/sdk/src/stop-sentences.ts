import { CLOSE_CODES } from '@tidings/protocol/close-codes';

/** For people: why the server ended the connection for good. */
const SENTENCES: Partial<Record<number, string>> = {
  [CLOSE_CODES.replacedByLogin]:
    'You have logged in on another device, and this server allows one at a time',
  [CLOSE_CODES.accountDisabled]: 'Your account was disabled by those who run this server',
};

/** A sentence for a close code, without its full stop; undefined: use the reason of the socket. */
export function stopSentence(code: number | undefined): string | undefined {
  return code === undefined ? undefined : SENTENCES[code];
}
