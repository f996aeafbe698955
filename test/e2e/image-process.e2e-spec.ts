import { readFileSync, readdirSync } from 'node:fs';
import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { imageProcessOf, underWay } from '../support/image-process';
import { bombPng } from '../support/pictures';
import { startTestStack } from '../support/test-stack';
import { smallPng, upload } from '../support/uploads';

/** Place of the niceness in /proc/…/stat, counted behind the name (proc_pid_stat(5), field 19). */
const NICE_FIELD = 16;

describe('the process that works on images, as it is shipped', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let chat: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ services: { gateway: 1 } }));
    ann = await ChatUser.create(stack.gatewayUrls);
    chat = await ann.direct(await ChatUser.create(stack.gatewayUrls));
  }, 240_000);
  afterAll(() => stop?.());

  const png = async (): Promise<number> => (await upload(ann, chat.id, await smallPng())).status;

  it('gives way to everything else, with all of its threads', async () => {
    expect(await png()).toBe(201);
    const gateway = stack.node('gateway-1').pid;
    const pid = imageProcessOf(stack.node('gateway-1'));
    const [mine = NaN] = threadNiceness(gateway);
    const niceness = threadNiceness(pid);
    expect(niceness.length).toBeGreaterThan(4);
    expect(niceness.every((nice) => nice === mine + 10)).toBe(true);
    expect(autogroup(pid) - autogroup(gateway)).toBe(10);
  });

  it('may be killed during its work: that image is refused, the next one is taken', async () => {
    expect(await png()).toBe(201);
    const gateway = stack.node('gateway-1');
    const pid = imageProcessOf(gateway);
    const [bomb] = await underWay(pid, () => upload(ann, chat.id, bombPng(6_320, 6_320)));
    process.kill(pid, 'SIGKILL');
    expect(await bomb).toMatchObject({ status: 422, body: { code: 'unsupported_media' } });
    expect(await png()).toBe(201);
    expect(imageProcessOf(gateway)).not.toBe(pid);
  });
});

/** Of each thread of a process. */
function threadNiceness(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[NICE_FIELD]);
  });
}

/** Of a process' session, as Linux groups tasks; the process' own where it does not. */
function autogroup(pid: number): number {
  try {
    const text = readFileSync(`/proc/${pid}/autogroup`, 'utf8');
    return Number(/nice (-?\d+)/.exec(text)?.[1]);
  } catch {
    return threadNiceness(pid)[0]!;
  }
}
