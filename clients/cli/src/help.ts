/** What `/help` says. */
export const HELP = [
  'People and chats',
  '  /conversations      your chats and groups, with what is unread; type a number to open one',
  '  /contacts           your contacts; type a number to open a chat',
  '  /people [PREFIX]    look for people; /add NAME makes somebody a contact',
  '  /chat NAME          open a chat: a person, a group’s title, or a number of the last list',
  '  /history            earlier messages of this chat; /clear clears window and scrollback',
  'Writing',
  '  TEXT                is sent to the open chat; //text sends a line that begins with /',
  '  /edit TEXT          replace your last message; /delete takes it back for everybody',
  '  /image PATH         send an image; a caption may follow. /file PATH sends a file',
  '  /save N [PATH]      save the image or file with this number',
  '  /ttl 1h | off       let messages of this chat disappear (30s, 10m, 1h, 7d, 4w)',
  '  /read               who has received and read your last line; /trace its way',
  'Groups',
  '  /group TITLE @A @B  make a group; /title NEW TITLE renames it',
  '  /add @A @B          add people to the open group; /kick @A takes somebody out',
  '  /members            who is in it; /role @A admin | member | owner; /leave',
  'You',
  '  /status             connection, unsent messages',
  '  /devices            where you are logged in; /devices remove N logs one out',
  '  /password           change your password; your other devices are logged out',
  '  /block NAME         take no messages from somebody; /unblock NAME, /blocks lists them',
  '  /quit               leave (also Ctrl-C); you stay logged in, unsent messages are kept',
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
