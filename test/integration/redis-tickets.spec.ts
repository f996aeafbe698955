import type { RedisClient } from '@tidings/common/redis/client';
import { KEYS } from '@tidings/common/redis/keys';
import { Tickets, type TicketGrant } from '@tidings/common/redis/tickets';
import { createHash, randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually';
import { RedisRig } from './redis-harness';

const GATEWAYS = ['gateway-1', 'gateway-2'];

/** Values in the place of a grant. */
const NO_GRANTS = ['null', '7', '"grant"', '[]', '{}', '{', ''];

function request(gatewayIds = GATEWAYS) {
  return { userId: randomUUID(), deviceId: randomUUID(), sessionGeneration: 3, gatewayIds };
}

describe('tickets', () => {
  let rig: RedisRig;
  let client: RedisClient;
  let tickets: Tickets;

  beforeAll(async () => {
    rig = await RedisRig.start();
    client = await rig.client();
    tickets = new Tickets(client);
  }, 240_000);
  afterAll(() => rig?.stop());

  describe('of the directory', () => {
    it('are taken once, with what they were issued for', async () => {
      const asked = request();
      const { ticket, connectionGeneration } = await tickets.issue(asked);
      expect(ticket).toMatch(/^d[A-Za-z0-9_-]{22}$/);
      expect(Tickets.isResume(ticket)).toBe(false);
      expect(await tickets.take(ticket, 'gateway-2')).toEqual({ ...asked, connectionGeneration });
      expect(await tickets.take(ticket, 'gateway-2')).toBe('unknown');
      expect(await tickets.take(ticket, 'gateway-1')).toBe('unknown');
    });

    it('are won by one of 20 that take at once', async () => {
      const { ticket } = await tickets.issue(request());
      const clients = await Promise.all(Array.from({ length: 4 }, () => rig.client()));
      const takes = Array.from({ length: 20 }, (_, i) =>
        new Tickets(clients[i % 4]!).take(ticket, GATEWAYS[i % 2]!),
      );
      const results = await Promise.all(takes);
      expect(results.filter((r) => typeof r === 'object')).toHaveLength(1);
      expect(results.filter((r) => r === 'unknown')).toHaveLength(19);
    });

    it('are not burned by a foreign gateway', async () => {
      const { ticket } = await tickets.issue(request());
      expect(await tickets.take(ticket, 'gateway-3')).toBe('foreign');
      expect(await tickets.take(ticket, 'gateway-')).toBe('foreign');
      expect(await tickets.take(ticket, 'gateway-1')).toMatchObject({ sessionGeneration: 3 });
    });

    it('of another shape are unknown', async () => {
      const { ticket } = await tickets.issue(request());
      const [key] = await client.keys(
        `*${createHash('sha256').update(ticket).digest('base64url')}*`,
      );
      await client.set(key!, JSON.stringify({ gatewayIds: GATEWAYS }));
      expect(await tickets.take(ticket, 'gateway-1')).toBe('unknown');
    });

    it('expire', async () => {
      const { ticket } = await new Tickets(client, { ticketMs: 50 }).issue(request());
      await eventually(async () => {
        expect(await tickets.take(ticket, 'gateway-3')).toBe('unknown');
      }, 5_000);
      expect(await tickets.take(ticket, 'gateway-1')).toBe('unknown');
    });

    it.each(['', 'd', 'x'.repeat(23), `d${'*'.repeat(22)}`, `d${'A'.repeat(23)}`, 'd\n{}', '{t}'])(
      'of the shape %j are unknown',
      async (ticket) => expect(await tickets.take(ticket, 'gateway-1')).toBe('unknown'),
    );

    it('are stored only as a hash', async () => {
      const { ticket } = await tickets.issue(request());
      const keys = await client.keys('*');
      expect(keys.filter((key) => key.includes(ticket) || key.includes(ticket.slice(1)))).toEqual(
        [],
      );
    });

    it('have rising generations per device, from the time of Redis in µs', async () => {
      const asked = request();
      const issued = await Promise.all(Array.from({ length: 50 }, () => tickets.issue(asked)));
      const generations = issued.map((i) => BigInt(i.connectionGeneration));
      for (let i = 1; i < generations.length; i += 1) {
        expect(generations[i]! > generations[i - 1]!).toBe(true);
      }
      const off = Number(generations[0]!) / 1000 - Date.now();
      expect(Math.abs(off)).toBeLessThan(10_000);
    });

    it('go on above the last generation when the clock of Redis was set back', async () => {
      const asked = request();
      const ahead = '4000000000000123';
      await client.set(KEYS.generation(asked.userId, asked.deviceId), ahead);
      expect((await tickets.issue(asked)).connectionGeneration).toBe('4000000000000124');
      expect((await tickets.issue(asked)).connectionGeneration).toBe('4000000000000125');
    });
  });

  describe('to resume', () => {
    const GENERATION = '1763720000000000';

    function connection() {
      return {
        userId: randomUUID(),
        deviceId: randomUUID(),
        sessionGeneration: 7,
        connectionGeneration: GENERATION,
      };
    }

    it('are taken once, for any gateway, with the next connection generation', async () => {
      const from = connection();
      const ticket = await tickets.issueResume(from);
      expect(Tickets.isResume(ticket)).toBe(true);
      const grant: TicketGrant = {
        ...from,
        connectionGeneration: '1763720000000001',
        gatewayIds: [],
      };
      expect(await tickets.take(ticket, 'gateway-1')).toBe('unknown');
      expect(await tickets.takeResume(ticket)).toEqual(grant);
      expect(await tickets.takeResume(ticket)).toBeNull();
    });

    it('are won by one of 20 that take at once', async () => {
      const ticket = await tickets.issueResume(connection());
      const results = await Promise.all(
        Array.from({ length: 20 }, () => tickets.takeResume(ticket)),
      );
      expect(results.filter((r) => r !== null)).toHaveLength(1);
    });

    it('are replaced by the next one of the device, which a trial of the old does not burn', async () => {
      const from = connection();
      const old = await tickets.issueResume(from);
      const current = await tickets.issueResume({ ...from, connectionGeneration: '99' });
      const other = await tickets.issueResume({ ...from, deviceId: randomUUID() });
      expect(await tickets.takeResume(old)).toBeNull();
      expect(await tickets.takeResume(current)).toMatchObject({ connectionGeneration: '100' });
      expect(await tickets.takeResume(other)).not.toBeNull();
    });

    it('are voided by logout', async () => {
      const from = connection();
      const ticket = await tickets.issueResume(from);
      await tickets.revokeResume(from.userId, randomUUID());
      expect(await client.exists(KEYS.resume(from.userId, from.deviceId))).toBe(1);
      await tickets.revokeResume(from.userId, from.deviceId);
      expect(await tickets.takeResume(ticket)).toBeNull();
    });

    it('expire', async () => {
      const from = connection();
      const ticket = await new Tickets(client, { resumeMs: 50 }).issueResume(from);
      await eventually(async () => {
        expect(await client.exists(KEYS.resume(from.userId, from.deviceId))).toBe(0);
      }, 5_000);
      expect(await tickets.takeResume(ticket)).toBeNull();
    });

    it.each(NO_GRANTS)('whose grant is %s are unknown', async (grant) => {
      const from = connection();
      const ticket = await tickets.issueResume(from);
      await client.hset(KEYS.resume(from.userId, from.deviceId), 'grant', grant);
      expect(await tickets.takeResume(ticket)).toBeNull();
    });

    it('of another device or of a wrong shape are unknown', async () => {
      const from = connection();
      const ticket = await tickets.issueResume(from);
      const foreign = await tickets.issueResume(connection());
      const forged = ticket.slice(0, 43) + foreign.slice(43);
      for (const wrong of [forged, '', 'r', `r${'A'.repeat(64)}`, `r${'*'.repeat(64)}`]) {
        expect(await tickets.takeResume(wrong)).toBeNull();
      }
      expect(await tickets.takeResume(ticket)).not.toBeNull();
    });
  });
});
