import { comparePositions } from '@tidings/protocol/positions';
import { eventually } from '../support/eventually';
import type { FaultHistory } from './fault-history';
import type { Talk, Workload } from './workload';

/** History, every device and a fresh device hold the same messages in the same order. */
export async function holdsTogether(
  workload: Workload,
  talk: Talk,
  history: FaultHistory,
): Promise<void> {
  const sent = workload.acknowledged.filter((a) => a.conversationId === talk.id);
  const stored = await eventually(async () => {
    const all = await talk.reader.history(talk.id);
    expect(all.length).toBeGreaterThanOrEqual(sent.length);
    return all;
  }, 20_000);
  history.page(talk.id, stored);
  const order = stored.map((m) => `${m.position} ${m.messageId}`);
  const sorted = [...stored].sort((a, b) => comparePositions(a.position, b.position));
  expect(stored).toEqual(sorted);
  expect(new Set(stored.map((m) => m.messageId)).size).toBe(stored.length);
  const positions = new Map(stored.map((m) => [m.messageId, m.position]));
  for (const one of sent) expect(positions.get(one.messageId)).toBe(one.position);
  const texts = new Set(stored.filter((m) => m.content.kind === 'text').map((m) => m.messageId));
  for (const device of talk.ends.flat()) {
    await eventually(() => {
      const held = device.client.messages(talk.id).map((m) => `${m.position} ${m.messageId}`);
      expect(held).toEqual(order);
    }, 20_000);
    history.final(device.name, talk.id, device.client.messages(talk.id));
    const shown = [...device.shown].filter(([id]) => texts.has(id));
    expect(shown.length).toBe(texts.size);
    expect(shown.every(([, times]) => times === 1)).toBe(true);
  }
  const fresh = (await workload.fresh(talk)).map((m) => `${m.position} ${m.messageId}`);
  expect(fresh).toEqual(order);
}

/** Every device reads its conversation's history back to the beginning. */
export async function pageIn(talk: Talk): Promise<void> {
  for (const { client } of talk.ends.flat()) {
    for (;;) {
      const before = client.messages(talk.id)[0]?.position;
      const page = await client.history(talk.id, { before, limit: 200 });
      if (!page.more) break;
    }
  }
}
