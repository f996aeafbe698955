import { NetworkError, OutboxFullError, TidingsError } from '@tidings/sdk';
import { LIMITS } from '@tidings/common/contracts/limits';
import { safeLine } from './safe-text';

/** Sentences for errors that people cause or can do something about. */
const SENTENCES: Partial<Record<string, string>> = {
  bad_credentials: 'User name or password is wrong.',
  username_taken: 'This user name is taken. Please choose another one.',
  email_taken: 'There is an account with this e-mail address already.',
  no_such_conversation: 'This conversation does not exist (any more).',
  blocked: 'This user does not take messages from you.',
  text_too_long: `The message is too long: at most ${LIMITS.textBytes} bytes.`,
  payload_too_large: 'That is too large.',
  unsupported_media: 'This is no image that can be taken: JPEG, PNG, WebP or GIF.',
  media_not_found: 'This image or file is not there (any more).',
  not_allowed: 'You may not do that here.',
  not_found: 'There is no such person or message (any more).',
  group_full: `The group is full: at most ${LIMITS.groupMembers} members.`,
  content_expired: 'This message has disappeared.',
  version_conflict: 'Somebody else changed it at the same time. Please try again.',
  unauthorized: 'You are not logged in any more.',
  refresh_expired: 'Your login has ended. Please log in again.',
  refresh_reused: 'Your login was used elsewhere and is ended. Please log in again.',
  rate_limited: 'That was too fast. Please wait a moment.',
  logged_in_elsewhere: 'You are logged in on another device, and this server allows one only.',
  busy: 'The server is busy. Please try again in a moment.',
  unavailable: 'The server cannot do that right now. Please try again in a moment.',
  message_id_conflict: 'Its id was taken by another message.',
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

/** A sentence for the code of a refusal. */
export function codeSentence(code: string, detail: string): string {
  return SENTENCES[code] ?? safeLine(`${detail} (${code})`);
}

/** What went wrong, in words for the person at the keyboard. */
export function friendly(error: unknown): string {
  if (error instanceof NetworkError) {
    return `${error.message}. Is the server running, and its address right?`;
  }
  if (error instanceof OutboxFullError) return `${error.message}; please wait.`;
  if (error instanceof TidingsError) return refusal(error);
  const { code, path, message } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const sentence = FILE_SENTENCES[code ?? ''];
  if (sentence === undefined) return safeLine(message ?? String(error));
  return path === undefined ? `${sentence}.` : `${sentence}: ${safeLine(path)}`;
}

/** Why the server refuses; which fields are wrong is said once. */
function refusal({ code, errors, message }: TidingsError): string {
  const fields = safeLine((errors ?? []).map((e) => `${e.path}: ${e.message}`).join('; '));
  if (fields === '') return codeSentence(code, message);
  return code === 'invalid_request' ? fields : `${codeSentence(code, message)} (${fields})`;
}
