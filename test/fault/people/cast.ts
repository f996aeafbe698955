import { uuidv7 } from 'uuidv7';
import { type Random, randomBelow } from '../../../tools/load/random';
import { ChatUser } from '../../support/chat-user';
import { succeeds } from '../../support/succeeds';
import type { Diary } from './diary';
import { Device, Person } from './person';

const PEOPLE = 40;
/** So many of them have a second device. */
const SECOND_DEVICES = 12;
const DIRECTS = 12;
const GROUPS = 12;
const SMALLEST = 3;
const LARGEST = 10;
/** Of the direct chats and of the groups: the first are joined and blocked in, the last are temporary. */
const WITH_BLOCKS = 3;
const TEMPORARY = 2;
const TEMPORARY_SECONDS = 15;
/** Groups that come and go, and how many come and go in each. */
const WITH_COMINGS = 8;
const COMERS = 2;

/** A conversation of the run. */
export interface Circle {
  id: string;
  kind: 'direct' | 'group';
  /** Members all the time; of a group the first is its owner. */
  core: Person[];
  /** Who is added and removed. */
  comers: Person[];
  /** Its two block each other now and then. */
  blocks: boolean;
  /** Its messages end; how long they live changes. */
  temporary: boolean;
}

/** 40 people, 12 of them with two devices, in 12 direct chats, 12 groups of 3 to 10 and one of 40. */
export class Cast {
  readonly people: Person[] = [];
  readonly circles: Circle[] = [];

  constructor(
    private readonly bases: string[],
    private readonly diary: Diary,
    private readonly random: Random,
  ) {}

  get devices(): Device[] {
    return this.people.flatMap(({ devices }) => devices);
  }

  async gather(): Promise<void> {
    for (let n = 0; n < PEOPLE; n++) {
      const person = new Person(`p${n}`, await ChatUser.create(this.bases, { at: n % 2 }));
      this.diary.person(person.id, person.name);
      this.people.push(person);
    }
    for (let n = 0; n < DIRECTS; n++) await this.direct(n);
    for (let n = 0; n < GROUPS; n++) await this.group(n);
    await this.make(this.people, [], {});
    for (const [n, person] of this.people.entries()) {
      await this.appear(person, person.name, person.user);
      if (n >= SECOND_DEVICES) continue;
      await this.appear(person, `${person.name}+`, await person.user.onNewDevice(1));
    }
    await Promise.all(this.devices.map(({ client }) => client.whenSynced()));
  }

  /** A device that has never been here, and has everything. */
  async fresh(person: Person): Promise<Device> {
    const user = await person.user.onNewDevice(0);
    const device = new Device(this.diary, { u: person.name, d: `${person.name} fresh` }, user);
    await device.start();
    await device.client.whenSynced();
    return device;
  }

  async leave(): Promise<void> {
    await Promise.all(this.devices.map(({ client }) => client.stop()));
  }

  private async appear(person: Person, d: string, user: ChatUser): Promise<void> {
    const device = new Device(this.diary, { u: person.name, d }, user);
    person.devices.push(device);
    await device.start();
    // its login has replaced that of the user
    user.accessToken = device.client.currentLogin!.accessToken;
  }

  private async direct(n: number): Promise<void> {
    const core = this.some(2);
    const [a, b] = core as [Person, Person];
    if (this.circles.some((c) => c.core.length === 2 && core.every((p) => c.core.includes(p)))) {
      return this.direct(n);
    }
    const { body } = await succeeds(() =>
      a.user.http<{ id: string }>('POST', '/v1/conversations', { kind: 'direct', userIds: [b.id] }),
    );
    const temporary = n >= DIRECTS - TEMPORARY;
    this.known({
      id: body.id,
      kind: 'direct',
      core,
      comers: [],
      blocks: n < WITH_BLOCKS,
      temporary,
    });
    if (!temporary) return;
    const patch = { messageTtlSeconds: TEMPORARY_SECONDS };
    const path = `/v1/conversations/${body.id}`;
    await this.lives(body.id, a, () => succeeds(() => a.user.http('PATCH', path, patch)));
  }

  private async group(n: number): Promise<void> {
    const size = SMALLEST + randomBelow(this.random, LARGEST - SMALLEST + 1);
    const comers = n < WITH_COMINGS ? COMERS : 0;
    const all = this.some(size + comers);
    const history = n % 4 === 3 ? 'all' : 'joined';
    await this.make(all.slice(comers), all.slice(0, comers), {
      history,
      temporary: n >= GROUPS - TEMPORARY,
    });
  }

  private async make(
    core: Person[],
    comers: Person[],
    { history = 'joined', temporary = false }: { history?: string; temporary?: boolean },
  ): Promise<void> {
    const owner = core[0]!;
    const userIds = core.slice(1).map(({ id }) => id);
    const body = { kind: 'group', requestId: uuidv7(), title: 'A group', userIds, history };
    const ttl = temporary ? { messageTtlSeconds: TEMPORARY_SECONDS } : {};
    const made = await succeeds(() =>
      owner.user.http<{ id: string }>('POST', '/v1/conversations', { ...body, ...ttl }),
    );
    const { id } = made.body;
    this.known({ id, kind: 'group', core, comers, blocks: false, temporary }, history);
    if (temporary) await this.lives(id, owner, () => Promise.resolve());
  }

  private known(circle: Circle, history?: string): void {
    const { diary } = this;
    const [first] = circle.core as [Person];
    this.circles.push(circle);
    diary.conversation(circle.id, history ?? 'direct', history && first.name);
    for (const { name: x } of circle.core) {
      const { name: u } = first;
      diary.end(diary.begin({ f: 'add', u, d: u, c: circle.id, x }), 'ok');
    }
  }

  private async lives(c: string, { name: u }: Person, make: () => Promise<unknown>): Promise<void> {
    const op = this.diary.begin({ f: 'lifetime', u, d: u, c, v: String(TEMPORARY_SECONDS) });
    await make();
    this.diary.end(op, 'ok');
  }

  /** So many different people. */
  private some(count: number): Person[] {
    const left = [...this.people];
    return Array.from(
      { length: count },
      () => left.splice(randomBelow(this.random, left.length), 1)[0]!,
    );
  }
}
