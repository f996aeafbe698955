import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { uuid } from '@tidings/protocol/ids';
import { parsedJson } from '@tidings/protocol/json';
import { settled, type RedisClient } from './client';
import { connectionGeneration, generation, id, InvalidRedisId, KEYS, TTL } from './keys';
import { nextGeneration } from './scripts/next-generation.script';
import { putResume } from './scripts/put-resume.script';
import { takeResume } from './scripts/take-resume.script';
import { takeTicket } from './scripts/take-ticket.script';

/** What a taken ticket allows, as it is stored in Redis. */
const ticketGrant = z.object({
  userId: uuid,
  deviceId: uuid,
  /** Generation of the device's login when it was issued: void once that has been raised. */
  sessionGeneration: z.number().int(),
  /** Generation of the connection to be made, decimal µs. */
  connectionGeneration,
  /** The gateways that may take it; empty: any. */
  gatewayIds: z.array(z.string()),
});
export type TicketGrant = z.infer<typeof ticketGrant>;

export interface TicketsOptions {
  /** Time to live of a directory ticket, in milliseconds. */
  ticketMs?: number;
  /**
   * Time to live of a resume ticket without renewal, in milliseconds; `Routes.renew` extends it.
   */
  resumeMs?: number;
}

const TICKET = /^d[A-Za-z0-9_-]{22}$/;
const RESUME_TICKET = /^r[A-Za-z0-9_-]{64}$/;

/**
 * One-time tickets, of which only hashes are stored. There are two kinds, told apart by their first
 * letter:
 * - `d` + 128 random bits: a directory ticket, for the one or two gateways it names. Its key is the
 *   hash itself (in a slot of its own). Its generation comes from the user's slot in a step before:
 *   a crash between the two only skips a generation.
 * - `r` + user id, device id and 128 random bits: a resume ticket, for any gateway, one per device.
 *   The ids in it say where it is stored, so that taking, replacing and revoking it touch one key.
 */
export class Tickets {
  private readonly ticketMs: number;
  private readonly resumeMs: number;

  constructor(
    private readonly client: RedisClient,
    options: TicketsOptions = {},
  ) {
    this.ticketMs = options.ticketMs ?? TTL.ticket * 1000;
    this.resumeMs = options.resumeMs ?? (TTL.routes + TTL.resumeAfterRoute) * 1000;
  }

  /** Whether a text from a client has the shape of a resume ticket (not a directory ticket). */
  static isResume(ticket: string): boolean {
    return RESUME_TICKET.test(ticket);
  }

  /**
   * Issues a directory ticket. The connection generation is fixed now: max(the device's last + 1,
   * Redis' time in µs). Throws `RedisUnavailable`.
   */
  async issue(
    request: Omit<TicketGrant, 'connectionGeneration'>,
  ): Promise<{ ticket: string; connectionGeneration: string }> {
    const { userId, deviceId, gatewayIds } = request;
    const connectionGeneration = await nextGeneration(
      this.client,
      KEYS.generation(userId, deviceId),
      TTL.generation * 1000,
    );
    const ticket = `d${randomBytes(16).toString('base64url')}`;
    const grant: TicketGrant = {
      userId,
      deviceId,
      sessionGeneration: request.sessionGeneration,
      connectionGeneration,
      gatewayIds: gatewayIds.map(id),
    };
    const key = KEYS.ticket(hash(ticket));
    await settled(this.client.set(key, JSON.stringify(grant), 'PX', this.ticketMs));
    return { ticket, connectionGeneration };
  }

  /**
   * Takes a directory ticket, once. `unknown`: never issued, taken or expired. `foreign`: for other
   * gateways, where it stays valid. Throws `RedisUnavailable`: then it may or may not be taken.
   */
  async take(ticket: string, gatewayId: string): Promise<TicketGrant | 'unknown' | 'foreign'> {
    if (!TICKET.test(ticket)) return 'unknown';
    const taken = await takeTicket(this.client, KEYS.ticket(hash(ticket)), id(gatewayId));
    return taken === 'foreign' ? 'foreign' : (grantOf(taken) ?? 'unknown');
  }

  /**
   * Issues the resume ticket of a connection and voids the device's previous one.
   * `connectionGeneration`: that of the connection; the ticket's is one more. Call it after the
   * connection's route is written. Throws `RedisUnavailable`.
   */
  async issueResume(connection: Omit<TicketGrant, 'gatewayIds'>): Promise<string> {
    const { userId, deviceId, sessionGeneration } = connection;
    const ids = [bytesOf(userId), bytesOf(deviceId)];
    const ticket = `r${Buffer.concat([...ids, randomBytes(16)]).toString('base64url')}`;
    const grant: TicketGrant = {
      userId,
      deviceId,
      sessionGeneration,
      connectionGeneration: String(BigInt(generation(connection.connectionGeneration)) + 1n),
      gatewayIds: [],
    };
    await putResume(
      this.client,
      KEYS.resume(userId, deviceId),
      { hash: hash(ticket), grant: JSON.stringify(grant) },
      this.resumeMs,
    );
    return ticket;
  }

  /** Takes a resume ticket, once, at any gateway; null: unknown, taken, replaced or expired. */
  async takeResume(ticket: string): Promise<TicketGrant | null> {
    if (!RESUME_TICKET.test(ticket)) return null;
    const hex = Buffer.from(ticket.slice(1), 'base64url').toString('hex');
    const key = KEYS.resume(uuidOf(hex.slice(0, 32)), uuidOf(hex.slice(32, 64)));
    const taken = await takeResume(this.client, key, hash(ticket));
    return grantOf(taken);
  }

  /** Voids a device's resume ticket: logout, device removal, password change. */
  async revokeResume(userId: string, deviceId: string): Promise<void> {
    await settled(this.client.del(KEYS.resume(userId, deviceId)));
  }
}

/** A grant with another shape (written by another release) counts as missing. */
function grantOf(taken: string | null): TicketGrant | null {
  if (taken === null) return null;
  const parsed = ticketGrant.safeParse(parsedJson(taken));
  return parsed.success ? parsed.data : null;
}

function hash(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url');
}

function bytesOf(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  if (bytes.length !== 16) throw new InvalidRedisId(uuid);
  return bytes;
}

function uuidOf(hex: string): string {
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
