import { TidingsError } from '@tidings/protocol/errors';
import { RedisUnavailable } from '@tidings/common/redis/client';
import type { TicketGrant } from '@tidings/common/redis/tickets';
import { SocketTickets } from './socket-tickets';

const DIRECTORY = `d${'x'.repeat(22)}`;
const RESUME = `r${'x'.repeat(64)}`;
const GRANT: TicketGrant = {
  userId: 'u',
  deviceId: 'd',
  sessionGeneration: 3,
  connectionGeneration: '100',
  gatewayIds: ['g'],
};

function take(
  ticket: string,
  answers: { take?: unknown; resume?: unknown; login?: 'valid' | 'unauthorized' | 'unavailable' },
) {
  const settle = (answer: unknown) =>
    answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
  const noted: unknown[] = [];
  const tickets = new SocketTickets(
    'g',
    { take: () => settle(answers.take), takeResume: () => settle(answers.resume) },
    {
      requireNow: (_userId, _deviceId, generation) => {
        expect(generation).toBe(3);
        const { login = 'valid' } = answers;
        return login === 'valid' ? Promise.resolve() : Promise.reject(new TidingsError(login));
      },
    },
    { note: (...event) => void noted.push(event) },
  );
  const outcome = tickets.take(ticket, '10.0.0.1').then(
    () => 'taken',
    (error: TidingsError) => error.code as string,
  );
  return { outcome, noted };
}

describe('SocketTickets', () => {
  it.each([
    { name: 'a directory ticket', ticket: DIRECTORY, answers: { take: GRANT }, is: 'taken' },
    { name: 'a used one', ticket: DIRECTORY, answers: { take: 'unknown' }, is: 'unauthorized' },
    { name: 'a foreign one', ticket: DIRECTORY, answers: { take: 'foreign' }, is: 'unauthorized' },
    { name: 'a resume ticket', ticket: RESUME, answers: { resume: GRANT }, is: 'taken' },
    { name: 'a used one', ticket: RESUME, answers: { resume: null }, is: 'unauthorized' },
    {
      name: 'one from before a logout',
      ticket: RESUME,
      answers: { resume: GRANT, login: 'unauthorized' as const },
      is: 'unauthorized',
    },
    {
      name: 'one whose login nobody can tell',
      ticket: DIRECTORY,
      answers: { take: GRANT, login: 'unavailable' as const },
      is: 'unavailable',
    },
    {
      name: 'any without Redis',
      ticket: DIRECTORY,
      answers: { take: new RedisUnavailable('down') },
      is: 'unavailable',
    },
  ])('$name → $is', async ({ ticket, answers, is }) => {
    const { outcome, noted } = take(ticket, answers);
    expect(await outcome).toBe(is);
    expect(noted).toHaveLength(is === 'unauthorized' ? 1 : 0);
  });

  it('notes a refusal with whom it concerns, as far as known, and without the ticket', async () => {
    const unknown = take(DIRECTORY, { take: 'unknown' });
    await unknown.outcome;
    expect(unknown.noted).toEqual([['ticket_refused', { address: '10.0.0.1' }]]);
    const ended = take(RESUME, { resume: GRANT, login: 'unauthorized' });
    await ended.outcome;
    const about = { userId: 'u', deviceId: 'd', address: '10.0.0.1' };
    expect(ended.noted).toEqual([['ticket_refused', about]]);
  });
});
