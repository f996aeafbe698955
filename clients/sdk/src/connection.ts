import { CLOSE_CODES, shouldReconnect } from '@tidings/protocol/close-codes';
import { SUBPROTOCOL, TICKET_PROTOCOL_PREFIX } from '@tidings/protocol/frames';
import { TidingsError } from '@tidings/protocol/errors';
import type { ConnectionsAnswer, GatewayAddress } from '@tidings/protocol/http';
import { TIMINGS } from '@tidings/protocol/limits';
import { fullJitter, type BackoffBounds } from './backoff';
import type { Cancel, Clock, Random } from './clock';
import { readFrame, type IncomingFrame } from './frames';
import { GatewayList } from './gateway-list';
import { endsLogin } from './tokens';
import { stopSentence } from './stop-sentences';
import type { SocketHandlers, SocketRefusal, Transport, TransportSocket } from './transport';

export type WelcomeFrame = Extract<IncomingFrame, { type: 'welcome' }>;
type GoodbyeFrame = Extract<IncomingFrame, { type: 'goodbye' }>;

/** What a connection needs. */
export interface ConnectionDeps {
  /** `POST /v1/connections`, without the gateways to avoid. */
  directory: (avoid: string[], signal: AbortSignal) => Promise<ConnectionsAnswer>;
  transport: Transport;
  clock: Clock;
  random: Random;
}

/** Why a connection ended for good. */
export interface StopReason {
  /** Close code of the socket, when it was one. */
  code?: number;
  /** For people. */
  reason: string;
}

/** What a connection reports. */
export interface ConnectionHandlers {
  online(welcome: WelcomeFrame): void;
  frame(frame: IncomingFrame): void;
  /** The socket was lost; the next attempt is on its way. */
  lost(reason: string): void;
  /** An attempt to connect failed; another follows. */
  failed(reason: string): void;
  /** Connecting again makes no sense. */
  stopped(reason: StopReason): void;
}

/** Admits a socket, once. */
interface Ticket {
  text: string;
  /** Where it is valid; null: at any gateway. */
  gateways: readonly GatewayAddress[] | null;
  /** When it expires, by this client's clock. */
  until: number;
  /** How often all of these gateways were too busy for it. */
  rounds: number;
}

/** Another gateway is to be asked for, because one that takes nobody has refused a ticket. */
interface Redirect {
  /** That ticket: good at its gateways later, when no other is found. */
  kept: Ticket;
  /** When that is by the clock of this client. */
  from: number;
}

/** What a connection waits for; one timer each. */
type Timer = 'attempt' | 'retry' | 'stable' | 'watch' | 'leave';

/** How long an attempt may take from opening the socket to `welcome`. */
export const ATTEMPT_MS = 8_000;
/** A connection that lasted this long resets its backoff, in milliseconds. */
export const STABLE_MS = 60_000;
/**
 * After its gateways were too busy for a ticket this often, the directory is asked: it may know
 * others.
 */
const MAX_ROUNDS = 2;
/**
 * Within so long the directory is asked for another gateway when one is full or stops, the first time, the second and
 * the third, milliseconds: soon, and not by a crowd at once. Then it is waited for as told.
 */
export const REDIRECT_WITHIN_MS = [250, 500, 1_000] as const;
/**
 * Longest wait for the next attempt while servers answer, if only to refuse: they say themselves when it is too
 * soon. The longer one is for when nobody answers.
 */
export const ANSWERED_MAX_MS = 8_000;
/** A socket is dead after this many heartbeats without a sign of life. */
const DEAD_AFTER_HEARTBEATS = 2.5;

/**
 * Keeps one socket to some gateway open: asks the directory for a ticket, and after a loss tries
 * another gateway with `resumeTicket` first. One attempt at a time; whatever a socket or an attempt
 * does after it was given up is ignored, because it carries an older `turn`.
 */
export class Connection {
  private state: 'idle' | 'connecting' | 'online' | 'stopped' = 'idle';
  /** Number of the current attempt or socket; callbacks of others are ignored. */
  private turn = 0;
  private failures = 0;
  private socket: TransportSocket | null = null;
  private asking: AbortController | null = null;
  /** A ticket that was not used yet. */
  private ticket: Ticket | null = null;
  /** Gateways that were too busy for it. */
  private busy: string[] = [];
  private redirect: Redirect | null = null;
  /** How often another gateway was asked for since the last `welcome`, or the last wait. */
  private redirects = 0;
  private readonly gateways = new GatewayList();
  private bounds: BackoffBounds = {
    baseMs: TIMINGS.backoffBaseMs,
    maxMs: TIMINGS.backoffMaxMs,
  };
  private heartbeatMs = TIMINGS.heartbeatSeconds * 1000;
  private lastSign = 0;
  private stayAway = false;
  /** Whether some server has answered since the last wait. */
  private answered = false;
  private readonly timers = new Map<Timer, Cancel>();

  constructor(
    private readonly deps: ConnectionDeps,
    private readonly handlers: ConnectionHandlers,
  ) {}

  /** Connects. Does nothing when already connecting, or stopped. */
  start(): void {
    if (this.state !== 'idle') return;
    this.state = 'connecting';
    this.attempt();
  }

  /** Ends the connection for good. Nothing is reported afterwards. */
  stop(): void {
    this.state = 'stopped';
    this.socket?.close(1000);
    this.letGo();
  }

  /**
   * Connects again at once: gives up the socket in use, or what is left of the wait for the next
   * attempt. For an occasion that is no failure: the network came back, a person wants to write.
   */
  reconnect(reason: string): void {
    if (this.state === 'online') return this.lost(reason, 0);
    if (this.state !== 'connecting' || !this.timers.has('retry')) return;
    this.cancelTimers();
    this.attempt();
  }

  /** Sends a frame; false: not connected. */
  send(frame: string): boolean {
    if (this.state !== 'online') return false;
    this.socket!.send(frame);
    return true;
  }

  /** Drops the current socket or attempt, with its timers. */
  private letGo(): void {
    this.turn++;
    this.cancelTimers();
    this.asking?.abort();
    this.asking = null;
    this.socket = null;
  }

  private attempt(): void {
    const { ticket } = this;
    this.ticket = null;
    if (this.redirect) return void this.ask();
    const valid = ticket !== null && this.deps.clock.now() < ticket.until;
    const gateway = valid ? this.gateways.anyForTicket(ticket.gateways) : null;
    if (valid && gateway) return this.open(gateway, ticket);
    this.busy = [];
    void this.ask();
  }

  private async ask(): Promise<void> {
    const turn = this.turn;
    const asking = (this.asking = new AbortController());
    let answer: ConnectionsAnswer;
    try {
      answer = await this.deps.directory(this.gateways.toAvoid(), asking.signal);
    } catch (error) {
      if (turn === this.turn) this.refused(error);
      return;
    }
    if (turn !== this.turn) return;
    this.answered = true;
    this.bounds = answer.backoff;
    this.heartbeatMs = answer.heartbeatSeconds * 1000;
    this.gateways.learn(answer.gateways);
    const primary = answer.gateways[0];
    const until = this.deps.clock.now() + answer.expiresInSeconds * 1000;
    const { ticket: text, gateways } = answer;
    const ticket = { text, gateways, until, rounds: 0 };
    const { redirect } = this;
    this.redirect = null;
    if (!primary) this.failed('the directory named no gateway');
    else if (redirect && !this.gateways.forTicket(gateways)) this.wait(ticket, redirect.from);
    else this.open(primary, ticket);
  }

  /** There is no gateway but those that take nobody for now: comes back to them when they said. */
  private wait(ticket: Ticket, from: number): void {
    this.ticket = ticket;
    this.redirects = 0;
    this.gateways.retry(this.busy);
    this.busy = [];
    this.failed('every gateway is full or stops', Math.max(0, from - this.deps.clock.now()));
  }

  private refused(error: unknown): void {
    if (endsLogin(error)) return this.end({ reason: 'logged out' });
    this.gateways.forgive();
    this.answered = error instanceof TidingsError;
    const wait = (error as { retryAfterMs?: number }).retryAfterMs ?? 0;
    const { redirect } = this;
    this.redirect = null;
    if (redirect) {
      this.wait(redirect.kept, Math.max(redirect.from, this.deps.clock.now() + wait));
      return;
    }
    this.failed(error instanceof Error ? error.message : String(error), wait);
  }

  private open(gateway: GatewayAddress, ticket: Ticket): void {
    const protocols = [SUBPROTOCOL, TICKET_PROTOCOL_PREFIX + ticket.text];
    this.later('attempt', ATTEMPT_MS, () => {
      this.socket?.abandon();
      this.gateways.avoid(gateway.id);
      this.failed(`${gateway.url} did not answer`);
    });
    const turn = this.turn;
    try {
      const socket = this.deps.transport.open(gateway.url, protocols, this.ears(gateway, ticket));
      if (turn === this.turn) this.socket = socket;
    } catch (error) {
      this.gateways.avoid(gateway.id);
      this.failed(`${gateway.url}: ${(error as Error).message}`);
    }
  }

  /** Listens to a socket for as long as it is the one in use. */
  private ears(gateway: GatewayAddress, ticket: Ticket): SocketHandlers {
    const turn = this.turn;
    return {
      frame: (text) => {
        if (turn === this.turn) this.heard(gateway, text);
      },
      alive: () => {
        if (turn === this.turn) this.lastSign = this.deps.clock.now();
      },
      closed: (code, reason, refusal) => {
        if (turn !== this.turn) return;
        this.answered ||= refusal !== undefined;
        if (refusal?.code === 'busy') this.tooBusy(gateway, ticket, refusal);
        else this.closed(gateway, code, reason);
      },
    };
  }

  private heard(gateway: GatewayAddress, text: string): void {
    this.lastSign = this.deps.clock.now();
    const frame = readFrame(text);
    if (!frame) return;
    if (this.state === 'online') {
      if (frame.type === 'goodbye') this.leave(frame);
      this.handlers.frame(frame);
    } else if (frame.type === 'welcome') {
      this.welcomed(gateway, frame);
    }
  }

  private welcomed(gateway: GatewayAddress, welcome: WelcomeFrame): void {
    this.state = 'online';
    const text = welcome.resumeTicket;
    this.ticket = { text, gateways: null, until: Infinity, rounds: 0 };
    this.busy = [];
    this.redirects = 0;
    this.heartbeatMs = welcome.heartbeatSeconds * 1000;
    this.gateways.arrived(gateway);
    this.cancelTimers();
    this.later('stable', STABLE_MS, () => (this.failures = 0));
    this.watch();
    this.handlers.online(welcome);
  }

  /** Looks for signs of life; requests them where pings are hidden. */
  private watch(): void {
    this.later('watch', this.heartbeatMs / 2, () => {
      const silence = this.deps.clock.now() - this.lastSign;
      if (silence >= DEAD_AFTER_HEARTBEATS * this.heartbeatMs) {
        this.lost('no sign of life from the server');
        return;
      }
      if (!this.deps.transport.seesPings) this.socket!.send('{"type":"ping"}');
      this.watch();
    });
  }

  /** The gateway is about to close: moves to another one when it says so. */
  private leave(goodbye: GoodbyeFrame): void {
    this.gateways.learn(goodbye.gateways);
    this.stayAway = goodbye.reconnect === false;
    if (this.stayAway) return;
    this.later('leave', goodbye.afterMs, () => this.lost(goodbye.reason, 0));
  }

  private closed(gateway: GatewayAddress, code: number, reason: string): void {
    this.socket = null;
    const why = stopSentence(code) ?? (reason === '' ? closeReason(code) : reason);
    if (!shouldReconnect(code) || this.stayAway) return this.end({ code, reason: why });
    if (this.state === 'online') return this.lost(why);
    this.gateways.avoid(gateway.id);
    this.failed(why);
  }

  /**
   * A gateway did not take the ticket, because it is full, stops, or lets nobody in at the moment: the
   * ticket is good elsewhere, soon; and here, when all others are busy, too. When no other is known and
   * this one takes nobody, the directory is asked for one at once.
   */
  private tooBusy(gateway: GatewayAddress, ticket: Ticket, refusal: SocketRefusal): void {
    const { retryAfterMs = 0 } = refusal;
    this.socket = null;
    this.ticket = ticket;
    this.busy.push(gateway.id);
    this.gateways.avoid(gateway.id);
    const why = `${gateway.url} is busy`;
    if (this.gateways.forTicket(ticket.gateways)) {
      this.retry(fullJitter(0, this.bounds, this.deps.random));
      this.handlers.failed(why);
      return;
    }
    const within = takesNobody(refusal) ? REDIRECT_WITHIN_MS[this.redirects] : undefined;
    if (within !== undefined) {
      this.redirects += 1;
      this.redirect = { kept: ticket, from: this.deps.clock.now() + retryAfterMs };
      this.retry(this.deps.random() * within);
      this.handlers.failed(why);
      return;
    }
    this.redirects = 0;
    ticket.rounds += 1;
    if (ticket.rounds >= MAX_ROUNDS) this.ticket = null;
    this.gateways.retry(this.busy);
    this.busy = [];
    this.failed(why, retryAfterMs);
  }

  private lost(reason: string, delayMs?: number): void {
    this.state = 'connecting';
    this.socket?.abandon();
    this.gateways.left();
    this.retry(delayMs);
    this.handlers.lost(reason);
  }

  private failed(reason: string, atLeastMs = 0): void {
    this.retry(undefined, atLeastMs);
    this.handlers.failed(reason);
  }

  private retry(delayMs?: number, atLeastMs = 0): void {
    this.letGo();
    const jitter = delayMs ?? fullJitter(this.failures, this.ceilings(), this.deps.random);
    this.failures++;
    this.answered = false;
    this.later('retry', Math.max(jitter, atLeastMs), () => this.attempt());
  }

  private ceilings(): BackoffBounds {
    const { baseMs, maxMs } = this.bounds;
    return this.answered ? { baseMs, maxMs: Math.min(maxMs, ANSWERED_MAX_MS) } : this.bounds;
  }

  private end(reason: StopReason): void {
    this.state = 'stopped';
    this.letGo();
    this.handlers.stopped(reason);
  }

  private later(timer: Timer, ms: number, run: () => void): void {
    this.timers.get(timer)?.();
    const cancel = this.deps.clock.after(ms, () => {
      this.timers.delete(timer);
      run();
    });
    this.timers.set(timer, cancel);
  }

  private cancelTimers(): void {
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
  }
}

/** Whether a gateway lets nobody in for now, whoever comes: another one is better than to wait. */
function takesNobody({ reason }: SocketRefusal): boolean {
  return reason === 'full' || reason === 'draining';
}

function closeReason(code: number): string {
  const name = Object.entries(CLOSE_CODES).find(([, value]) => value === code)?.[0];
  return name ?? `closed with ${code}`;
}
