/** What `/help` says. */
export const HELP = [
  'People and chats',
  '  /conversations      your chats and what is unread; a number opens one',
  '  /contacts           your contacts; a number opens a chat',
  '  /people [PREFIX]    look for people; /add NAME makes somebody a contact',
  '  /chat NAME | N      open a chat: a person, the title of a group, N of a list',
  '  /history            earlier messages; /clear clears window and scrollback',
  'Writing',
  '  TEXT                goes to the open chat; //text begins with a /',
  '  /edit TEXT          change your last message; /delete deletes it for all',
  '  /image PATH         send an image, a caption may follow; /file PATH a file',
  '  /save N [PATH]      save the image or file with this number',
  '  /ttl 1h | off       let new messages disappear (30s, 10m, 1h, 7d, 4w)',
  '  /read               who has received and read your last message',
  '  /trace [N]          the way of your last message (of the Nth last)',
  'Groups',
  '  /group TITLE @A @B  make a group; /title NEW TITLE renames it',
  '  /add @A @B          add people; /kick @A takes somebody out; /leave',
  '  /members            who is in it; /role @A admin, member or owner',
  'You',
  '  /status             connection, unsent messages',
  '  /devices            where you are logged in; /devices remove N ends one',
  '  /password           change your password; other devices are logged out',
  '  /block NAME         take no messages of somebody; /unblock NAME, /blocks',
  '  /quit               leave (or Ctrl-C); you stay logged in here',
  '  /logout             leave, and forget everything on this machine',
];

/** Names of all commands. */
export const COMMAND_NAMES = [
  ...['/add', '/block', '/blocks', '/chat', '/clear', '/contacts', '/conversations', '/delete'],
  ...['/devices', '/edit', '/file', '/group', '/help', '/history', '/image', '/kick', '/leave'],
  ...['/logout', '/members', '/password', '/people', '/quit', '/read', '/role', '/save', '/status'],
  ...['/title', '/trace', '/ttl', '/unblock'],
];

/** Completes the name of a command. */
export function completeCommand(line: string): [string[], string] {
  const hits = line.startsWith('/') ? COMMAND_NAMES.filter((name) => name.startsWith(line)) : [];
  return [hits.map((name) => `${name} `), line];
}
