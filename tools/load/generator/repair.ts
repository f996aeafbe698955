import type { HistoryPage } from '@tidings/protocol/http';
import { LIMITS } from '@tidings/protocol/limits';
import { callApi } from '../api';
import type { LoadRun } from './load-run';
import type { DevicePlan, RunPlan } from './protocol';

/** Bounds of one repair; what is beyond stays missing and fails the run. */
const MAX_DEVICES = 200;
const MAX_PAGES = 50;

/** Fetches what devices lack after the drain from the history, as a client that sees a gap would. */
export async function repairHoles(options: {
  run: LoadRun;
  plan: RunPlan;
  devices: readonly DevicePlan[];
}): Promise<void> {
  const missing = [...options.run.ledger.missing()].slice(0, MAX_DEVICES);
  for (const [device, messages] of missing) await repairDevice(options, device, messages);
}

async function repairDevice(
  options: { run: LoadRun; plan: RunPlan; devices: readonly DevicePlan[] },
  device: number,
  messages: readonly number[],
): Promise<void> {
  const { run, plan, devices } = options;
  const wanted = new Set(messages);
  const conversation = run.ledger.conversationOfMessage(messages[0]!);
  const id = plan.conversations[conversation]!.conversationId;
  let after = Math.min(...messages.map((message) => run.ledger.positionOf(message))) - 1;
  for (let page = 0; page < MAX_PAGES && wanted.size > 0; page++) {
    const answer = (await callApi({
      base: plan.historyUrls[page % plan.historyUrls.length]!,
      method: 'GET',
      path: `/v1/conversations/${id}/messages?after=${after}&limit=${LIMITS.historyItems}`,
      token: devices[device]!.token,
    })) as HistoryPage;
    for (const item of answer.items) {
      after = Number(item.position);
      const message = run.messageOf(item.messageId);
      if (wanted.delete(message)) run.ledger.repair(device, message, after);
    }
    if (!answer.more) return;
  }
}
