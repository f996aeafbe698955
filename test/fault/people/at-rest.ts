import { TidingsError } from '@tidings/protocol/errors';
import { AT_REST } from '../../../tools/load/checks/run-record';
import { eventually } from '../../support/eventually';
import type { Cast, Circle } from './cast';
import type { Diary } from './diary';
import type { Device, Person } from './person';

const SETTLES_MS = 90_000;
const AGREES_MS = 20_000;
const EVERY_MS = 100;
/** People who log in on a new device in the end. */
const FRESH = 8;

/** Every outbox is empty, every change is answered, every device has what there is. */
export async function settle({ devices }: Cast): Promise<void> {
  await eventually(
    () => {
      const open = devices.filter(
        ({ client, unanswered }) =>
          unanswered + client.unsent.length + client.pendingChanges > 0 ||
          client.state !== 'online',
      );
      if (open.length > 0) throw new Error(`${open.map(({ whose }) => whose.d).join()} wait`);
    },
    SETTLES_MS,
    EVERY_MS,
  );
  await Promise.all(devices.map(({ client }) => client.whenSynced()));
}

/**
 * Writes down what everybody can read, what every device holds and how much is unread, when nobody does
 * anything any more; and what some people have on a new device.
 */
export async function lookAtRest(cast: Cast, diary: Diary): Promise<void> {
  diary.note('phase', AT_REST);
  for (const circle of cast.circles) {
    for (const person of [...circle.core, ...circle.comers]) await look(diary, circle, person);
  }
  for (const person of cast.people.slice(0, FRESH)) {
    const device = await cast.fresh(person);
    for (const circle of cast.circles) {
      if ([...circle.core, ...circle.comers].includes(person)) await hold(diary, circle, device);
    }
    await device.client.stop();
  }
}

async function look(diary: Diary, circle: Circle, person: Person): Promise<void> {
  if (!(await readAll(circle, person))) return;
  for (const device of person.devices) await hold(diary, circle, device);
  const { unread } = await person.first.client.api.conversation(circle.id);
  diary.unread({ u: person.name, d: `the server for ${person.name}` }, circle.id, unread);
}

/** Whether this person may read it. */
async function readAll({ id }: Circle, { first }: Person): Promise<boolean> {
  return eventually(
    async () => {
      try {
        await first.readAll(id);
        return true;
      } catch (error) {
        if (error instanceof TidingsError && error.status === 404) return false;
        throw error;
      }
    },
    AGREES_MS,
    EVERY_MS,
  );
}

async function hold(diary: Diary, { id }: Circle, device: Device): Promise<void> {
  const { client, whose } = device;
  const model = client.conversation(id);
  if (!model || model.gone) return;
  await device.pageIn(id);
  // a mark that was just raised is on its way
  await eventually(
    async () => {
      const { unread } = await client.api.conversation(id);
      if (unread !== client.unread(id)) throw new Error('not the same yet');
    },
    AGREES_MS / 4,
    EVERY_MS,
  ).catch(() => undefined);
  diary.saw('final', whose, id, client.messages(id));
  diary.unread(whose, id, client.unread(id));
}
