import { parseArgs } from 'node:util';

/** What the command line and the environment say. */
export interface CliOptions {
  servers: string[];
  user?: string;
  password?: string;
  register: boolean;
  email?: string;
  firstName?: string;
  to?: string;
  help: boolean;
}

export const USAGE = `Tidings in a terminal.

Usage: npm run chat -- [options]

  --server URL     a gateway, e.g. http://127.0.0.1:8080; may be given several times
  --user NAME      log in as this user (TIDINGS_PASSWORD has the password, or it is asked
                   the first time: this machine stays logged in until /logout)
  --register       make the account first (with --email and --name, or they are asked)
  --email ADDRESS  e-mail address of the new account
  --name NAME      first name of the new account
  --to NAME        begin with this chat: a user's name, or a group's title
  --help           this text

Inside, /help lists the commands. Without a terminal it reads commands and messages line by line.`;

/**
 * Reads the command line.
 *
 * @throws Error with a sentence for people when it makes no sense
 */
export function readOptions(
  args: readonly string[],
  env: Record<string, string | undefined>,
): CliOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      server: { type: 'string', multiple: true },
      user: { type: 'string' },
      register: { type: 'boolean', default: false },
      email: { type: 'string' },
      name: { type: 'string' },
      to: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  return {
    servers: (values.server ?? []).map(serverAddress),
    user: values.user,
    password: env['TIDINGS_PASSWORD'],
    register: values.register,
    email: values.email,
    firstName: values.name,
    to: values.to,
    help: values.help,
  };
}

/**
 * Completes a server address: `host:port` is taken as `http://host:port`.
 *
 * @throws Error when it is none
 */
export function serverAddress(text: string): string {
  const withScheme = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error(`${text} is no server address; it looks like http://127.0.0.1:8080`);
  }
  return url.origin;
}
