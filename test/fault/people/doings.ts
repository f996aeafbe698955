import { type Random, randomBelow } from '../../../tools/load/random';
import { smallPng } from '../../support/uploads';
import { downFor } from '../fault';
import type { Cast, Circle } from './cast';
import type { Device, Person } from './person';

/** How often people do what, of a hundred. */
const SHARES = {
  say: 56,
  answer: 8,
  edit: 6,
  delete: 4,
  read: 12,
  look: 5,
  image: 2,
  comeOrGo: 3,
  block: 1.5,
  lifetime: 0.5,
  cut: 1,
  typing: 1,
};
type Doing = keyof typeof SHARES;

const TICK_MS = 5;
/** A device whose network failed is left in peace so long after that is back. */
const RECOVERS_MS = 1_000;
const WORDS = ['hello', 'ça va ?', '你好', 'שלום', 'e\u0301t\u00e9', '👩‍👩‍👧', 'ok', '…'];

/** People who do what people do, as a seed decides. */
export class Doings {
  private count = 0;
  private stopped = false;
  /** Under way. */
  private readonly open = new Set<Promise<unknown>>();
  /** What is being changed: one change at a time, so that it is clear what follows. */
  private readonly busy = new Set<string>();
  private readonly away = new Set<Device>();
  private readonly members = new Map<string, Set<Person>>();
  private readonly blocked = new Set<string>();
  private picture: Uint8Array<ArrayBuffer> | null = null;
  /** By kind. */
  readonly done: Partial<Record<Doing, number>> = {};

  constructor(
    private readonly cast: Cast,
    private readonly random: Random,
  ) {}

  /** Does so much a second, evenly, for so long. */
  async run(perSecond: number, seconds: number): Promise<void> {
    this.picture ??= new Uint8Array(await smallPng());
    const began = performance.now();
    const first = this.count;
    const total = first + perSecond * seconds;
    while (this.count < total && !this.stopped) {
      const due = first + Math.floor(((performance.now() - began) / 1_000) * perSecond);
      while (this.count < Math.min(due, total) && !this.stopped) this.one();
      await downFor(TICK_MS);
    }
  }

  /** Everything that was begun has ended. */
  async ended(): Promise<void> {
    await Promise.all(this.open);
  }

  /** Nobody begins anything any more. */
  stop(): void {
    this.stopped = true;
  }

  private one(): void {
    this.count++;
    const doing = this.choose();
    const circle = this.circle(doing);
    const promise = this.act(doing, circle);
    this.done[doing] = (this.done[doing] ?? 0) + 1;
    if (!promise) return;
    this.open.add(promise);
    void promise.finally(() => this.open.delete(promise));
  }

  private choose(): Doing {
    let left = this.random() * Object.values(SHARES).reduce((a, b) => a + b, 0);
    for (const [doing, share] of Object.entries(SHARES)) {
      left -= share;
      if (left < 0) return doing as Doing;
    }
    return 'say';
  }

  /** Direct chats as often as groups; the largest has its share of them. */
  private circle(doing: Doing): Circle {
    const fits: Record<string, (circle: Circle) => boolean> = {
      comeOrGo: ({ comers }) => comers.length > 0,
      block: ({ blocks }) => blocks,
      lifetime: ({ temporary }) => temporary,
    };
    return this.of(this.cast.circles.filter(fits[doing] ?? (() => true)));
  }

  private act(doing: Doing, circle: Circle): Promise<unknown> | void {
    const device = this.device(circle);
    const { id } = circle;
    switch (doing) {
      case 'say':
        return device.send(id, { kind: 'text', text: this.text() });
      case 'answer':
        return this.answer(circle, device);
      case 'edit':
        return this.edit(circle, device);
      case 'delete':
        return this.delete(circle, device);
      case 'read':
        return device.client.markRead(id);
      case 'look':
        return device.look(id, 1 + randomBelow(this.random, 50));
      case 'image':
        return this.image(circle, device);
      case 'comeOrGo':
        return this.comeOrGo(circle);
      case 'block':
        return this.block(circle);
      case 'lifetime':
        return this.lifetime(circle);
      case 'cut':
        return this.cut();
      case 'typing':
        return device.client.typing(id);
    }
  }

  private answer({ id }: Circle, device: Device): void {
    const said = device.client.messages(id).filter(({ content }) => content.kind === 'text');
    const to = said.at(-1 - randomBelow(this.random, 5))?.messageId;
    device.send(id, { kind: 'text', text: this.text() }, to);
  }

  private edit({ id }: Circle, device: Device): Promise<void> | void {
    const cid = this.own(id, device);
    if (cid !== undefined) return device.change(id, cid, `${this.text()} (edited)`);
  }

  /** Mostly own messages; the owner of a group now and then takes away what another said. */
  private delete({ id, kind, core }: Circle, device: Device): Promise<void> | void {
    const owner = core[0]!;
    const others = kind === 'group' && this.random() < 0.2;
    const by = others ? owner.first : device;
    const cid = others ? this.own(id, by, () => true) : this.own(id, device);
    if (cid !== undefined) return by.change(id, cid);
  }

  private own(
    c: string,
    { client, whose, diary }: Device,
    fits = (senderId: string): boolean => diary.nameOf(senderId) === whose.u,
  ): string | undefined {
    const said = client
      .messages(c)
      .filter(({ senderId, content }) => content.kind === 'text' && fits(senderId))
      .slice(-20);
    return said.length === 0 ? undefined : this.of(said).messageId;
  }

  private async image({ id }: Circle, device: Device): Promise<void> {
    const { client } = device;
    try {
      const { mediaId } = await client.api.upload(id, this.picture!, 'image/png');
      device.send(id, { kind: 'image', mediaId, caption: this.text() });
    } catch {
      // refused, or the gateway is away: then there is no picture
    }
  }

  private async comeOrGo({ id: c, core, comers }: Circle): Promise<void> {
    const who = this.of(comers);
    const { name: x } = who;
    const inside = this.members.get(c) ?? new Set();
    this.members.set(c, inside);
    await this.alone(`${c} ${x}`, async () => {
      const owner = core[0]!.first;
      const { api } = owner.client;
      if (!inside.has(who)) {
        const added = await owner.call({ f: 'add', c, x }, () => api.addMembers(c, [who.id]));
        if (added) inside.add(who);
        return;
      }
      // they are removed, or leave by themselves
      const by = this.random() < 0.5 ? owner : who.first;
      const removed = await by.call(
        { f: 'remove', c, x },
        () => by.client.api.removeMember(c, who.id),
        ['not_found', 'no_such_conversation'],
      );
      if (removed) inside.delete(who);
    });
  }

  private async block({ core }: Circle): Promise<void> {
    const [by, other] = this.random() < 0.5 ? core : [...core].reverse();
    const key = `${by!.name} blocks ${other!.name}`;
    await this.alone(key, async () => {
      const { api } = by!.first.client;
      const blocked = this.blocked.has(key);
      const f = blocked ? 'unblock' : 'block';
      const ask = async (): Promise<void> =>
        void (blocked ? await api.unblock(other!.id) : await api.block(other!.id));
      if (!(await by!.first.call({ f, x: other!.name }, ask))) return;
      if (blocked) this.blocked.delete(key);
      else this.blocked.add(key);
    });
  }

  private async lifetime({ id: c, core }: Circle): Promise<void> {
    const seconds = this.of([12, 20, null]);
    await this.alone(`lifetime ${c}`, async () => {
      const { first } = core[0]!;
      await first.call({ f: 'lifetime', c, v: String(seconds ?? 'none') }, () =>
        first.client.api.changeConversation(c, { messageTtlSeconds: seconds }),
      );
    });
  }

  /** A second device loses its network: its owner has another one. */
  private cut(): void {
    const second = this.of(this.cast.people.filter(({ devices }) => devices.length > 1))
      .devices[1]!;
    const forMs = this.of([50, 500, 5_000]);
    this.away.add(second);
    second.cut(forMs);
    void downFor(forMs + RECOVERS_MS).then(() => this.away.delete(second));
  }

  private async alone(key: string, work: () => Promise<void>): Promise<void> {
    if (this.busy.has(key)) return;
    this.busy.add(key);
    await work().finally(() => this.busy.delete(key));
  }

  /** Of somebody in the circle, or, more rarely, of somebody who may be in it or not. */
  private device({ core, comers }: Circle): Device {
    const from = comers.length > 0 && this.random() < 0.2 ? comers : core;
    const person = this.of(from);
    const device = this.of(person.devices);
    const away = this.away.has(device) || device.client.state !== 'online';
    return away ? person.first : device;
  }

  private text(): string {
    return `${this.count} ${this.of(WORDS)} ${'x'.repeat(randomBelow(this.random, 200))}`.trim();
  }

  private of<T>(list: readonly T[]): T {
    return list[randomBelow(this.random, list.length)]!;
  }
}
