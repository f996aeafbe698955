import { NetworkError, TidingsError, type TidingsClient, type Trace } from '@tidings/sdk';
import type { People } from './people';
import type { Screen } from './screen';

/** Receivers that are named; of more only the number is shown. */
const MAX_NAMES = 8;

export interface TraceCommandDeps {
  client: Pick<TidingsClient, 'messages' | 'currentLogin' | 'trace'>;
  screen: Pick<Screen, 'print' | 'style'>;
  people: Pick<People, 'name' | 'lookUp'>;
  /** Conversation of the open chat. */
  here(): string | undefined;
}

/** Shows where an own message is. Throws what the client throws, but for a message without a trace. */
export async function showTrace(deps: TraceCommandDeps, argument: string): Promise<void> {
  const { client, screen, people, here } = deps;
  const remark = (text: string): void => screen.print(screen.style.dim(`  ${text}`));
  const conversationId = here();
  if (conversationId === undefined) return remark('open a chat first');
  const back = argument === '' ? 1 : /^\d{1,4}$/.test(argument) ? Number(argument) : 0;
  if (back === 0) return remark('which one? /trace, or /trace N for your Nth last message');
  const me = client.currentLogin?.user.id;
  const own = client.messages(conversationId).filter((m) => m.senderId === me);
  const message = own.filter((m) => m.content.kind !== 'event').at(-back);
  if (!message) return remark('there is no such message of yours here');
  try {
    const trace = await client.trace(conversationId, message.messageId);
    const marks = [...trace.delivered, ...trace.read];
    await people.lookUp([...new Set(marks.map((mark) => mark.userId))].slice(0, MAX_NAMES));
    screen.print(...traceLines(trace, (userId) => people.name(userId)));
  } catch (error) {
    if (error instanceof NetworkError) return remark('offline — ask again later');
    if (!(error instanceof TidingsError) || error.code !== 'not_found') throw error;
    remark('the server has not got it yet');
  }
}

/** A trace for a terminal, one step a line. */
export function traceLines(
  trace: Omit<Trace, 'cursor'>,
  name: (userId: string) => string,
): string[] {
  const { accepted, logged, routed, stored, expired, setAside, recipients } = trace;
  const step = (label: string, at: string | null): string =>
    `  ${label.padEnd(10)}${at === null ? 'not known' : timeOf(at) + since(accepted, at)}`;
  const reached = (label: string, marks: Trace['delivered']): string => {
    const first = marks.slice(0, MAX_NAMES).map((m) => {
      return m.at === null ? name(m.userId) : `${name(m.userId)} by ${timeOf(m.at)}`;
    });
    const names = marks.length > MAX_NAMES ? [...first, '…'] : first;
    const list = names.length > 0 ? `: ${names.join(', ')}` : '';
    return `  ${label.padEnd(10)}${marks.length} of ${recipients}${list}`;
  };
  return [
    `  accepted  ${timeOf(accepted)}`,
    step('logged', logged),
    step('routed', routed),
    step('stored', stored),
    reached('delivered', trace.delivered),
    reached('read', trace.read),
    ...(typeof setAside !== 'string'
      ? []
      : [`  set aside ${timeOf(setAside)}: nobody gets it until the server’s operators repeat it`]),
    ...(expired === null ? [] : [`  expired   ${timeOf(expired)}`]),
  ];
}

/** `12:03:04.123`. */
function timeOf(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '--:--';
  const two = (n: number): string => String(n).padStart(2, '0');
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${ms}`;
}

/** ` (+4 ms)`; clocks of several machines may disagree by some. */
function since(from: string, to: string): string {
  const ms = Date.parse(to) - Date.parse(from);
  return Number.isNaN(ms) ? '' : ` (${ms < 0 ? '−' : '+'}${Math.abs(ms)} ms)`;
}
