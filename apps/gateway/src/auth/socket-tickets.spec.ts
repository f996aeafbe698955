import { TidingsError } from '@tidings/common/contracts/errors';
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
  answers: { take?: unknown; resume?: unknown; session?: 'valid' | 'unauthorized' | 'unavailable' },
) {
  const settle = (answer: unknown) =>
    answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
  const tickets = new SocketTickets(
    'g',
    { take: () => settle(answers.take), takeResume: () => settle(answers.resume) },
    {
      requireNow: (_userId, _deviceId, generation) => {
        expect(generation).toBe(3);
        const { session = 'valid' } = answers;
        return session === 'valid' ? Promise.resolve() : Promise.reject(new TidingsError(session));
      },
    },
  );
  return tickets.take(ticket).then(
    () => 'taken',
    (error: TidingsError) => error.code,
  );
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
      answers: { resume: GRANT, session: 'unauthorized' as const },
      is: 'unauthorized',
    },
    {
      name: 'one whose session nobody can tell',
      ticket: DIRECTORY,
      answers: { take: GRANT, session: 'unavailable' as const },
      is: 'unavailable',
    },
    {
      name: 'any without Redis',
      ticket: DIRECTORY,
      answers: { take: new RedisUnavailable('down') },
      is: 'unavailable',
    },
  ])('$name → $is', async ({ ticket, answers, is }) => {
    expect(await take(ticket, answers)).toBe(is);
  });
});
