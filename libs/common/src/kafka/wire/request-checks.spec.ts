import type { RequestQueue } from './kafkajs-requests';
import { checkWhenWaiting } from './request-checks';

/** The queue of the pinned kafkajs, which looks for waiting requests with every push and answer. */
const KafkajsQueue = jest.requireActual<
  new (options: object) => RequestQueue & {
    maybeThrottle(ms: number): void;
    push(request: object): void;
    fulfillRequest(answer: object): void;
    destroy(): void;
  }
>('kafkajs/src/network/requestQueue');

const logger = { debug: () => undefined, warn: () => undefined };

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function open() {
  const queue = new KafkajsQueue({ maxInFlightRequests: 1, requestTimeout: 5_000, logger });
  checkWhenWaiting(queue);
  const sent: number[] = [];
  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, resolve: () => undefined, reject: () => undefined },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    });
  const answer = (correlationId: number) => queue.fulfillRequest({ correlationId });
  return { queue, sent, push, answer };
}

it('leaves no timer behind when nothing waits', () => {
  const { push, answer } = open();
  push(1);
  answer(1);
  expect(jest.getTimerCount()).toBe(0);
});

it('sends what waits with the next answer, and when a throttling ends', () => {
  const { queue, sent, push, answer } = open();
  for (const id of [1, 2]) push(id);
  expect(sent).toEqual([1]);
  answer(1);
  expect(sent).toEqual([1, 2]);
  queue.maybeThrottle(500);
  push(3);
  answer(2);
  jest.advanceTimersByTime(600);
  expect(sent).toEqual([1, 2, 3]);
  answer(3);
  jest.advanceTimersByTime(600);
  expect(jest.getTimerCount()).toBe(0);
});
