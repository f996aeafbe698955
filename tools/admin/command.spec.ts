import { TidingsError } from '@tidings/protocol/errors';
import { failureText, runCommand, UsageError } from './command';

const DEVICE = '01890a5d-ac96-774b-bcce-b302099a8002';
const BY = { actor: null, origin: 'command me@here' };
const ANN = { id: DEVICE, username: 'ann', firstName: 'Ann', roles: ['operator'] };

function setUp(answer: unknown) {
  const calls: unknown[][] = [];
  const storage = {
    call: (...call: unknown[]) => {
      calls.push(call);
      return Promise.resolve(answer);
    },
  };
  const run = (line: string) => runCommand(line.split(' '), storage as never, BY.origin);
  return { run, calls };
}

describe('npm run admin', () => {
  const whom = { username: 'ann' };
  it.each([
    ['grant ann operator', true, 'ann is now operator.', 'admin.role', { granted: true }],
    ['grant ann operator', false, 'ann was already operator.', 'admin.role', { granted: true }],
    ['revoke ann operator', true, 'ann is no longer operator.', 'admin.role', { granted: false }],
    ['revoke ann operator', false, 'ann was not operator.', 'admin.role', { granted: false }],
    ['disable ann', true, 'ann is disabled.', 'admin.disable', {}],
    ['disable ann', false, 'ann was disabled already.', 'admin.disable', {}],
    ['enable ann', true, 'ann is enabled.', 'admin.enable', {}],
    ['end ann', true, 'ann is logged out.', 'admin.end', {}],
    [`end ann ${DEVICE}`, false, 'ann was not logged in.', 'admin.end', { deviceId: DEVICE }],
  ])('%s (changed: %s): %s', async (line, changed, said, name, more) => {
    const { run, calls } = setUp({ user: ANN, changed });
    expect(await run(line)).toEqual([said]);
    expect(calls).toEqual([[name, expect.objectContaining({ by: BY, whom, ...more })]]);
  });

  it('shows who has which role, page by page', async () => {
    const bob = { ...ANN, username: 'bob', roles: ['broadcaster'], disabledAt: 'today' };
    const pages = [{ items: [ANN], cursor: 'more' }, { items: [bob] }];
    const storage = { call: () => Promise.resolve(pages.shift()) };
    expect(await runCommand(['roles'], storage as never, '')).toEqual([
      'ann  operator',
      'bob  broadcaster  (disabled since today)',
    ]);
    expect(await setUp({ items: [] }).run('roles')).toEqual(['Nobody has a role.']);
  });

  it('shows sessions, with nothing that writes on the terminal', async () => {
    const session = { id: DEVICE, name: 'a\u001b[2Jb', createdAt: 'then', lastSeenAt: 'now' };
    const [line] = await setUp({ user: ANN, items: [session] }).run('sessions ann');
    expect(line).toContain(`${DEVICE}  since then  last seen now  a`);
    expect(line).not.toContain('\u001b');
    expect(await setUp({ user: ANN, items: [] }).run('sessions ann')).toEqual([
      'ann is logged in nowhere.',
    ]);
  });

  it.each([
    'nothing',
    'grant ann',
    'grant ann owner',
    'grant ann operator now',
    'disable',
    'end',
    'end ann all',
    'roles ann',
  ])('%s cannot be meant', async (line) => {
    const { run, calls } = setUp({});
    await expect(run(line)).rejects.toThrow(UsageError);
    expect(calls).toEqual([]);
  });

  it.each([
    ['not_found', 'There is no account named ann, or it has no such device.'],
    [
      'unavailable',
      'Storage does not answer right now: nothing is certain to be done, do it again.',
    ],
    ['not_allowed', 'Not allowed.'],
    ['busy', 'Busy; try again later (busy)'],
  ] as const)('says what %s means', (code, said) => {
    expect(failureText(new TidingsError(code), ['end', 'ann'])).toBe(said);
  });
});
