import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryPage } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { callApi, inParallel, patiently } from '../api';
import type { LoadRun } from './load-run';
import type { DevicePlan, RunPlan } from './protocol';
import { lowestPositions, note } from './read-stored';

const CONCURRENCY = 4;
/** A page that may lack newer entries is asked for again, so often and after this time. */
const DELAYED_TRIES = 30;
const DELAYED_MS = 500;

/** The run's messages as a client can read them back: what the history does not show is not stored. */
export async function readHistory(options: {
  run: LoadRun;
  plan: RunPlan;
  devices: readonly DevicePlan[];
}): Promise<void> {
  const { run, plan, devices } = options;
  const lowest = lowestPositions(run, plan);
  await inParallel(plan.conversations.length, CONCURRENCY, async (index) => {
    const { conversationId, devices: members } = plan.conversations[index]!;
    const first = lowest.get(conversationId);
    if (first === undefined) return;
    const { token } = devices[members[0]!]!;
    for (let after = first - 1; ;) {
      const page = await pageOf({ urls: plan.historyUrls, conversationId, token, after });
      for (const { messageId, position } of page.items) {
        after = Number(position);
        note(run, plan, { conversation_id: conversationId, message_id: messageId, position });
      }
      if (!page.more || page.items.length === 0) return;
    }
  });
}

async function pageOf(wanted: {
  urls: readonly string[];
  conversationId: string;
  token: string;
  after: number;
}): Promise<HistoryPage> {
  const { urls, conversationId, token, after } = wanted;
  const path = `/v1/conversations/${conversationId}/messages?after=${after}&limit=${LIMITS.historyItems}`;
  for (let tries = 1; ; tries++) {
    const page = (await patiently((attempt) =>
      callApi({ base: urls[attempt % urls.length]!, method: 'GET', path, token }),
    )) as HistoryPage;
    if (page.delayed !== true || tries === DELAYED_TRIES) return page;
    await delay(DELAYED_MS);
  }
}
