import { FakeClock, settle } from '../testing/fake-clock';
import { CONVERSATION, id, message } from '../testing/factories';
import { Changes, CHANGES_LIMIT, type WantedChange } from './changes';

function setUp() {
  const clock = new FakeClock();
  const sent: Record<string, unknown>[] = [];
  const wire = { up: true };
  const changes = new Changes({
    clock,
    random: () => 0.5,
    send: (frame) => {
      if (wire.up) sent.push(JSON.parse(frame) as Record<string, unknown>);
      return wire.up;
    },
    onStoreError: () => undefined,
  });
  const outcomes: string[] = [];
  const ask = (n: number, more: Partial<WantedChange> = {}): void => {
    const changeId = id(n);
    const wanted = { changeId, conversationId: CONVERSATION, messageId: id(1), content: null };
    changes.ask({ ...wanted, ...more }).then(
      (m) => outcomes.push(`${n} at ${m.version}`),
      (e: Error & { code?: string }) => outcomes.push(`${n} ${e.code ?? e.constructor.name}`),
    );
  };
  const refuse = (n: number, code: string, retryable: boolean, retryAfterMs = 0) =>
    changes.refused({ type: 'error', ref: id(n), code, detail: code, retryable, retryAfterMs });
  const ids = (): unknown[] => sent.map((f) => f['changeId']);
  return { clock, changes, sent, ask, refuse, outcomes, ids, wire };
}

const after = (version: string) => message(1, { version });

describe('changes on their way', () => {
  it('wait for the connection, and go out once', async () => {
    const { changes, ask, sent, outcomes } = setUp();
    ask(7, { content: { kind: 'text', text: 'x' } });
    expect(sent).toEqual([]);
    changes.connected();
    const ids = { changeId: id(7), messageId: id(1), conversationId: CONVERSATION };
    expect(sent).toEqual([{ type: 'edit', ...ids, content: { kind: 'text', text: 'x' } }]);
    changes.changed(id(7), after('9'));
    changes.changed(id(7), after('9'));
    await settle();
    expect(outcomes).toEqual(['7 at 9']);
  });

  it('those of one message go one after the other, others beside', async () => {
    const { changes, ask, ids, outcomes } = setUp();
    changes.connected();
    ask(7);
    ask(8);
    ask(9, { messageId: id(2) });
    expect(ids()).toEqual([id(7), id(9)]);
    changes.changed(id(7), after('20'));
    expect(ids()).toEqual([id(7), id(9), id(8)]);
    await settle();
    expect(outcomes).toEqual(['7 at 20']);
  });

  it('are asked for again with the same id: without an answer, refused for now, reconnected', async () => {
    const { clock, changes, ask, refuse, ids } = setUp();
    changes.connected();
    ask(7);
    clock.advance(9_000);
    expect(ids()).toHaveLength(1);
    clock.advance(2_000);
    expect(ids()).toEqual([id(7), id(7)]);
    expect(refuse(7, 'busy', true, 3_000)).toBe(true);
    clock.advance(2_000);
    expect(ids()).toHaveLength(2);
    clock.advance(2_000);
    expect(ids()).toHaveLength(3);
    changes.disconnected();
    expect(clock.pending).toBe(0);
    changes.connected();
    expect(ids()).toEqual([id(7), id(7), id(7), id(7)]);
  });

  it('end with a refusal for good, which is theirs alone', async () => {
    const { changes, ask, refuse, outcomes, clock } = setUp();
    changes.connected();
    ask(7);
    expect(refuse(8, 'not_allowed', false)).toBe(false);
    expect(refuse(7, 'not_allowed', false)).toBe(true);
    await settle();
    expect(outcomes).toEqual(['7 not_allowed']);
    expect(clock.pending).toBe(0);
  });

  it('are not asked for while nothing can be sent', () => {
    const { changes, ask, wire, sent, clock } = setUp();
    wire.up = false;
    changes.connected();
    ask(7);
    changes.disconnected();
    wire.up = true;
    clock.advance(60_000);
    expect(sent).toEqual([]);
  });

  it('are bounded, and end with the client', async () => {
    const { changes, ask, outcomes } = setUp();
    for (let n = 1; n <= CHANGES_LIMIT; n++) ask(n);
    await settle();
    expect(outcomes).toEqual([]);
    ask(9_999);
    await settle();
    expect(outcomes).toEqual(['9999 outbox_full']);
    changes.stop();
    await settle();
    expect(outcomes).toHaveLength(CHANGES_LIMIT + 1);
    expect(outcomes.at(-1)).toBe(`${CHANGES_LIMIT} stopped`);
  });
});
