import {
  InvalidCallError,
  NetworkError,
  OutboxFullError,
  StoppedError,
  TidingsError,
} from '@tidings/sdk';
import { LIMITS } from '@tidings/protocol/limits';
import { lifetimeText } from './lifetime-text';
import { bytesText } from './message-lines';
import { safeLine } from './safe-text';

/** Sentences for errors that people cause or can do something about. */
const SENTENCES: Partial<Record<string, string>> = {
  bad_credentials: 'User name or password is wrong.',
  username_taken: 'This user name is taken. Please choose another one.',
  email_taken: 'There is an account with this e-mail address already.',
  no_such_conversation: 'This conversation does not exist (any more).',
  blocked: 'This user does not take messages from you.',
  text_too_long: `The message is too long: at most ${bytesText(LIMITS.textBytes)}.`,
  payload_too_large: 'That is too large.',
  unsupported_media: 'This is no image that can be taken: JPEG, PNG, WebP or GIF.',
  media_not_found: 'This image or file is not there (any more).',
  not_allowed: 'You may not do that here.',
  not_found: 'There is no such person or message (any more).',
  group_full: `The group is full: at most ${LIMITS.groupMembers} members.`,
  content_expired: 'This message has disappeared.',
  unauthorized: 'You are not logged in any more.',
  refresh_expired: 'Your login has ended. Please log in again.',
  refresh_reused: 'Your login was used elsewhere and is ended. Please log in again.',
  rate_limited: 'That was too fast. Please wait a moment.',
  logged_in_elsewhere: 'You are logged in on another device, and this server allows one only.',
  busy: 'The server is busy. Please try again in a moment.',
  unavailable: 'The server cannot do that right now. Please try again in a moment.',
  message_id_conflict: 'Its id was taken by another message.',
  username_invalid: 'This user name cannot be used.',
  weak_password: 'This password is too easy to guess.',
  forbidden: 'You may not do that here.',
  spool_full: 'The server can keep no more at the moment. Please try again later.',
  internal: 'Something went wrong on the server. Please try again in a moment.',
  token_expired: 'Your login has to be renewed. Please try again.',
};

/** Codes whose detail says more than their sentence, and is written for people. */
const TELLING: ReadonlySet<string> = new Set(['username_invalid', 'weak_password', 'forbidden']);

/** What people call the fields of requests, with the rule for them. */
const FIELDS: Partial<Record<string, string>> = {
  messageTtlSeconds: `Messages can stay from ${lifetimeText(LIMITS.ttlMinSeconds)} to ${lifetimeText(LIMITS.ttlMaxSeconds)}.`,
  title: `A title has 1 to ${LIMITS.titleBytes} bytes, on one line, with something to be seen.`,
  userIds: `A group has at most ${LIMITS.groupMembers} members.`,
  email: 'That is not an e-mail address.',
  firstName: `A first name has 1 to ${LIMITS.nameChars} characters, on one line.`,
  lastName: `A last name has at most ${LIMITS.nameChars} characters, on one line.`,
  username: `A user name has ${LIMITS.usernameMinChars} to ${LIMITS.usernameMaxChars} letters or digits.`,
  password: `A password has ${LIMITS.passwordMinChars} characters at least.`,
  next: `A password has ${LIMITS.passwordMinChars} characters at least.`,
  current: 'The current password is too long.',
  query: 'Please type at least two letters of the name, and not more than a name has.',
  name: `A file name has 1 to ${LIMITS.fileNameChars} characters, on one line.`,
  text: `A message has something to be seen, and at most ${bytesText(LIMITS.textBytes)}.`,
  caption: `A caption has at most ${bytesText(LIMITS.textBytes)}.`,
};

/** What file systems refuse. */
const FILE_SENTENCES: Partial<Record<string, string>> = {
  ENOENT: 'There is no such file or folder',
  ENOTDIR: 'There is no such file or folder',
  EISDIR: 'That is a folder, not a file',
  EACCES: 'This machine does not let you do that',
  EPERM: 'This machine does not let you do that',
  EEXIST: 'There is a file of this name already',
  ENOSPC: 'The disk is full',
};

/** A sentence for the code of a refusal. Codes of later servers are shown as they are. */
export function codeSentence(code: string, detail: string): string {
  const sentence = SENTENCES[code];
  if (sentence === undefined) return safeLine(`${detail} (${code})`);
  return TELLING.has(code) && detail !== '' ? sentenceOf(detail) : sentence;
}

function sentenceOf(text: string): string {
  const line = safeLine(text);
  return /[.!?]$/.test(line) ? line : `${line}.`;
}

/** What went wrong, in words for the person at the keyboard. */
export function friendly(error: unknown): string {
  if (error instanceof NetworkError) {
    return `${error.message}. Is the server running, and its address right?`;
  }
  if (error instanceof OutboxFullError) return `${error.message}; please wait.`;
  if (error instanceof TidingsError) return refusal(error);
  if (error instanceof StoppedError) return 'The program is ending.';
  if (error instanceof InvalidCallError) {
    return `This program has a mistake; please report it: ${safeLine(error.message)}`;
  }
  if (isAbort(error)) return 'Given up.';
  const { code, path, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const sentence = FILE_SENTENCES[code ?? ''];
  if (sentence === undefined) return safeLine(message ?? String(error));
  return path === undefined ? `${sentence}.` : `${sentence}: ${safeLine(path)}`;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

/** Why the server refuses: about which of the things that people typed. */
function refusal({ code, errors, message, retryAfterMs }: TidingsError): string {
  if (code === 'rate_limited' && retryAfterMs !== undefined && retryAfterMs >= 1000) {
    return `That was too fast. Please wait ${lifetimeText(Math.ceil(retryAfterMs / 1000))}.`;
  }
  const fields = [...new Set((errors ?? []).map(({ path }) => fieldOf(path)))];
  const said = fields.flatMap((field) => FIELDS[field] ?? []);
  if (code === 'invalid_request') {
    if (said.length > 0) return said.join(' ');
    return `The server does not take that: ${safeLine(message)}`;
  }
  return [codeSentence(code, message), ...said].join(' ');
}

/** `members.3.name` is about the name. */
function fieldOf(path: string): string {
  const parts = path.split('.').filter((part) => !/^\d+$/.test(part));
  return parts.findLast((part) => FIELDS[part] !== undefined) ?? parts.at(-1) ?? '';
}
