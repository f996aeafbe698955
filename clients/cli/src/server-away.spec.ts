import { NetworkError, TidingsError, type TidingsClient } from '@tidings/sdk';
import { PassThrough } from 'node:stream';
import { written } from '../testing/written';
import { Lists } from './lists';
import { People } from './people';
import { PipeScreen } from './pipe-screen';
import { Rooms } from './rooms';

const BOB = { id: 'b', username: 'bob', firstName: 'Bob' };

/** Somebody who has met bob before, and whose questions are all answered so. */
function setUp(error: Error) {
  const refuse = () => Promise.reject(error);
  const client = {
    on: () => undefined,
    recall: () => undefined,
    lifetime: () => null,
    unread: () => 0,
    presenceOf: () => undefined,
    conversation: () => undefined,
    api: { searchUsers: refuse, conversations: refuse },
  } as unknown as TidingsClient;
  const stdout = new PassThrough();
  const screen = new PipeScreen(new PassThrough(), stdout);
  const people = new People(client);
  const rooms = new Rooms(client, people);
  people.learn(BOB);
  rooms.recall([{ conversationId: 'c', userId: BOB.id }]);
  const lists = new Lists({ client, screen, people, rooms });
  return { people, lists, output: () => written(stdout) };
}

describe.each([
  ['there is no server', new NetworkError('Cannot reach http://one')],
  ['a gateway cannot ask storage', new TidingsError('unavailable')],
  ['a gateway is busy', new TidingsError('busy')],
  ['something went wrong on the server', new TidingsError('internal')],
])('while %s', (_, error) => {
  it('people that were met before are found, others not', async () => {
    const { people } = setUp(error);
    expect(await people.byName('Bob')).toEqual(BOB);
    await expect(people.byName('cat')).rejects.toBe(error);
  });

  it('chats that are remembered are listed', async () => {
    const { lists, output } = setUp(error);
    expect(await lists.conversations()).toBe(true);
    expect(output()).toBe('  1  bob\n');
  });
});

it('a refusal for another reason is no outage', async () => {
  const refusal = new TidingsError('rate_limited');
  const { people, lists } = setUp(refusal);
  await expect(people.byName('bob')).rejects.toBe(refusal);
  await expect(lists.conversations()).rejects.toBe(refusal);
});
