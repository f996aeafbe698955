import type { Conversation } from '@tidings/protocol/http';
import { RATES } from '@tidings/protocol/limits';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { eventually } from '../support/eventually';
import { bombPng } from '../support/pictures';
import { SlowUpload } from '../support/slow-upload';
import { startTestStack } from '../support/test-stack';
import { smallPng, upload } from '../support/uploads';

/** What accounts do to keep others from their places. All limits are those of production. */
describe('places that many want', () => {
  let stack: Stack;
  let stop: () => Promise<void>;
  let ann: ChatUser;
  let bob: ChatUser;
  let chat: Conversation;

  beforeAll(async () => {
    ({ stack, stop } = await startTestStack({ env: { RATE_LIMITS: 'upload=0/0' } }));
    [ann, bob] = [
      await ChatUser.create(stack.gatewayUrls),
      await ChatUser.create(stack.gatewayUrls),
    ];
    chat = await ann.direct(bob);
  }, 240_000);
  afterAll(() => stop?.());

  it('eight accounts with four dripping uploads each keep nobody out, and are cut off', async () => {
    const eves: [ChatUser, string][] = [];
    for (let i = 0; i < 8; i++) {
      const eve = await ChatUser.create(stack.gatewayUrls);
      eves.push([eve, (await eve.direct(bob)).id]);
    }
    const png = await smallPng();
    // All at once: the first is cut off ten seconds after it began.
    const slow = eves.flatMap(([eve, id]) =>
      Array.from({ length: 4 }, () => new SlowUpload(eve, id)),
    );
    let held: SlowUpload[] = [];
    await eventually(async () => {
      // On a slow machine they are cut off while this one is under way.
      held = slow.filter((one) => one.status === null);
      expect((await upload(ann, chat.id, png)).status).toBe(201);
    });
    expect(held.length).toBeGreaterThan(0);
    await Promise.all(slow.map((one) => one.closed));
    for (const one of held) expect([408, 503]).toContain(one.status);
    expect(held.map((one) => one.status)).toContain(408);
  });

  it('whoever is refused and goes on sending is cut off within two seconds', async () => {
    const one = new SlowUpload(ann, chat.id, 'none');
    await eventually(() => expect(one.status).toBe(401));
    await one.closed;
    const lingered = performance.now() - one.answeredAt!;
    expect(lingered).toBeGreaterThan(1_500);
    expect(lingered).toBeLessThan(9_000);
  });

  it('images of many pixels have a budget per user, and others do not wait for them', async () => {
    const bomb = bombPng(6_320, 6_320);
    const png = await smallPng();
    const eve = await ChatUser.create(stack.gatewayUrls);
    const place = await eve.direct(bob);
    const megapixels = Math.ceil(6_320 ** 2 / 1e6);
    const startedAt = performance.now();
    const refused: Response[] = [];
    let taken = 0;
    for (let sent = 0; refused.length === 0 && sent < 100; sent += 2) {
      // the gateways count together
      const answers = await Promise.all([0, 1].map((at) => post(eve, place.id, bomb, at)));
      for (const answer of answers) expect([201, 429]).toContain(answer.status);
      expect((await upload(ann, chat.id, png)).status).toBe(201);
      refused.push(...answers.filter((answer) => answer.status === 429));
      taken += answers.filter((answer) => answer.status === 201).length;
    }
    const minutes = (performance.now() - startedAt) / 60_000;
    const { burst, perMinute } = RATES.pixels;
    expect((taken + 1) * megapixels).toBeGreaterThan(burst);
    expect(taken * megapixels).toBeLessThanOrEqual(burst + minutes * perMinute);
    const [first] = refused;
    expect(Number(first!.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await first!.json()).toMatchObject({
      code: 'rate_limited',
      detail: 'Too many megapixels of images lately',
    });
  }, 240_000);

  function post(user: ChatUser, conversationId: string, body: Buffer, at = 0): Promise<Response> {
    return fetch(`${user.bases[at]}/v1/media`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${user.accessToken}`,
        'content-type': 'image/png',
        'x-conversation-id': conversationId,
      },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(90_000),
    });
  }
});
