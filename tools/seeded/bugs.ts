import type { SeededBug } from './seeded-bug';

/** All seeded bugs, in the order of docs/RELIABILITY.md. */
export const BUGS: readonly SeededBug[] = [
  {
    name: 'acknowledge-before-append',
    promise: 'a message is acknowledged when the log has it',
    file: 'apps/gateway/src/send/message-log.ts',
    find: `    const accepted = writer.append(
      record,`,
    replace: `    reply.sent({ position: '1', sentAtMs, expiresAtMs });
    reply = { logged() {}, held() {}, sent() {}, refused() {}, unknown() {} } as SendReply;
    const accepted = writer.append(
      record,`,
    check: {
      spec: 'test/e2e/held.e2e-spec.ts',
      group: 'sends while Kafka is away',
      test: 'are refused when the disk is full for them, nothing overtakes, and all are sent afterwards',
      shows: /\+ {3}"type": "sent"/,
    },
  },
  {
    name: 'drop-unknown-outcome',
    promise: 'an append whose outcome nobody knows is made again',
    file: 'libs/common/src/kafka/writer/batch-sender.ts',
    find: 'queue.putBack(unknown);',
    replace: 'if (unknown) queue.appended(this.options.clock()); else queue.putBack(false);',
    check: {
      spec: 'test/e2e/held.e2e-spec.ts',
      group: 'sends while Kafka is away',
      test: 'are held, then sent: none is lost or doubled, and everybody sees one order',
      shows: /- Array \[\]\n\+ Array \[\n\+ {3}"[0-9a-f-]{36}",/,
    },
  },
  {
    name: 'skip-batch-fence',
    promise: 'storage applies the log without a hole, whatever PostgreSQL has lost',
    file: 'apps/storage/src/messages/apply-log-batches.sql.ts',
    find: `AND p.epoch = batch_epoch
      AND p.next = w.first;`,
    replace: 'AND p.epoch = batch_epoch;',
    check: {
      spec: 'test/e2e/lost-commits.e2e-spec.ts',
      group: 'PostgreSQL comes back without its last commits',
      test: 'what they held is applied again from the log',
      shows: /- Expected {2}- 2\n\+ Received {2}\+ 0\n/,
    },
  },
  {
    name: 'cache-routes',
    promise: 'a device is pushed what comes behind its connect',
    file: 'apps/session/src/routing/deliveries.ts',
    find: `    const found = await this.routes.lookup(userIds);
    const byUser = new Map(userIds.map((userId, i) => [userId, found[i]!]));`,
    replace: `    const cache = ((globalThis as any).cachedRoutes ??= new Map());
    const old = userIds.filter((id) => !(cache.get(id)?.until > Date.now()));
    const found = await this.routes.lookup(old);
    old.forEach((id, i) => cache.set(id, { until: Date.now() + 5_000, routes: found[i]! }));
    const byUser = new Map<string, Route[]>(userIds.map((id) => [id, cache.get(id).routes]));`,
    check: {
      spec: 'test/e2e/chat.e2e-spec.ts',
      group: 'two people chat through two gateways',
      test: 'pushes to a device at once when it is back',
      shows: /Expected value: "\d+"\nReceived array: \[\]/,
    },
  },
  {
    name: 'empty-window-after-takeover',
    promise: 'what is repeated is shown once, also over a takeover',
    file: 'apps/session/src/routing/router.ts',
    find: 'emptyState({ partition, base, start, liveFrom })',
    replace: 'emptyState({ partition, base, start: liveFrom, liveFrom })',
    check: {
      spec: 'test/e2e/session-takeover.e2e-spec.ts',
      group: 'an instance of session is killed',
      test: 'with a second one: that lets it go and delivers again',
      shows: /\n\+ {3}2,/,
    },
  },
  {
    name: 'serve-a-removed-member',
    promise: 'a removal is the last that a removed member hears',
    file: 'apps/session/src/domain/members.ts',
    find: 'from: before.get(userId) ?? justThis, until: position }',
    replace: 'from: before.get(userId) ?? justThis, until: null }',
    check: {
      spec: 'test/e2e/groups.e2e-spec.ts',
      group: 'groups',
      test: 'a removed member sees the removal and nothing after, sends nothing, and may come back',
      shows: /- {5}"kind": "removed",[^]*\+ {5}"text": "three",/,
    },
  },
  {
    name: 'count-own-as-unread',
    promise: 'own messages are never unread',
    file: 'apps/storage/src/conversations/conversation-views.sql.ts',
    find: 'AND x.sender_id <> ${m}.user_id AND x.kind',
    replace: 'AND x.kind',
    check: {
      spec: 'test/e2e/chat.e2e-spec.ts',
      group: 'two people chat through two gateways',
      test: 'lists conversations with unread and the last message, own messages never unread',
      shows: /- {3}"unread": 0,\n\+ {3}"unread": 2,/,
    },
  },
  {
    name: 'digest-over-the-wrong-bound',
    promise: 'a digest is compared up to where the client is, and only a wrong copy is thrown away',
    file: 'apps/storage/src/sync/sync.sql.ts',
    find: "upTo: 'w.have', at: '$2::timestamptz'",
    replace: "upTo: 'w.up_to', at: '$2::timestamptz'",
    check: {
      spec: 'test/e2e/tiny-client.e2e-spec.ts',
      group: 'a client written from docs/PROTOCOL.md alone',
      test: 'finds by sync what happened while it was away, and a cold client agrees',
      behind: ['chats, and holds what the server and the other end hold'],
      shows: /- +"behind",\n\+ +"reset",/,
    },
  },
  {
    name: 'renew-an-expired-lease',
    promise: 'one process at a time has a gateway id',
    file: 'libs/common/src/redis/scripts/renew-lease.script.ts',
    find: `if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end`,
    replace: `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])`,
    check: {
      spec: 'test/e2e/gateway-lifecycle.e2e-spec.ts',
      group: 'a gateway keeps its clients through faults',
      test: 'gives way to who took its id while it hung',
      shows: /Expected: "[\w-]{12}"\nReceived: "[\w-]{12}"/,
    },
  },
  {
    name: 'take-a-ticket-twice',
    promise: 'a ticket opens one connection',
    file: 'libs/common/src/redis/scripts/take-ticket.script.ts',
    find: "    redis.call('DEL', KEYS[1])\n",
    replace: '',
    check: {
      spec: 'test/e2e/bad-input.e2e-spec.ts',
      group: 'hostile input gets a typed error and loses nothing',
      test: 'refuses a used, foreign, unknown and expired ticket with 401, before 101',
      shows: /Received promise resolved instead of rejected/,
    },
  },
  {
    name: 'drain-out-of-order',
    promise: 'what was held goes to the log in the order of sending',
    file: 'apps/gateway/src/spool/spool-lane.ts',
    find: "const records = judged.filter((j) => 'append' in j.verdict).map(({ record }) => record);",
    replace:
      "const records = judged.filter((j) => 'append' in j.verdict).map((j) => j.record).reverse();",
    check: {
      spec: 'test/e2e/held.e2e-spec.ts',
      group: 'sends while Kafka is away',
      test: 'are refused when the disk is full for them, nothing overtakes, and all are sent afterwards',
      shows: /- Expected {2}- (\d+)\n\+ Received {2}\+ \1\n/,
    },
  },
  {
    name: 'lose-a-receipts-maximum',
    promise: 'a mark never goes back',
    file: 'apps/storage/src/receipts/receipts.sql.ts',
    find: 'SET delivered = GREATEST(m.delivered, w.delivered), read = GREATEST(m.read, w.read),',
    replace: 'SET delivered = w.delivered, read = w.read,',
    check: {
      spec: 'test/e2e/receipts.e2e-spec.ts',
      group: 'receipts',
      test: 'merges by maximum: backwards changes nothing',
      shows: /- {3}"read": "\d+",\n\+ {3}"read": "\d+",/,
    },
  },
  {
    name: 'serve-expired-content',
    promise: 'what has expired is shown to nobody',
    file: 'apps/storage/src/conversations/conversation-views.sql.ts',
    find: 'return `${isLasting(x)} AND (${x}.expires_at IS NULL OR ${x}.expires_at > ${at})`;',
    replace: 'return isLasting(x);',
    check: {
      spec: 'test/e2e/temporary.e2e-spec.ts',
      group: 'when messages expire',
      test: 'history, list, unread, sync, digests and a new device agree, and only their ids are left',
      shows: /\+ {3}"text",\n\+ {3}"text",/,
    },
  },
  {
    name: 'push-what-a-block-forbids',
    promise: 'the blocked one is told nothing of the marks of who blocks',
    file: 'apps/storage/src/receipts/receipts.repository.ts',
    find: 'm.userId !== userId && !m.hidden',
    replace: 'm.userId !== userId',
    check: {
      spec: 'test/e2e/blocks.e2e-spec.ts',
      group: 'what a block does, act by act',
      test: 'direct.receipts by the blocker one',
      shows: /\+ {5}"type": "receipt",/,
    },
  },
  {
    name: 'skip-a-push',
    promise: 'every acknowledged message reaches every device that is connected',
    file: 'apps/gateway/src/deliver/inbox-delivery.ts',
    find: `        continue;
      }
      this.write(connection, bytes);`,
    replace: `        continue;
      }
      if ((this.delivered + this.missed) % 20 === 19) this.missed += 1;
      else this.write(connection, bytes);`,
    check: {
      spec: 'test/e2e/load-tool.e2e-spec.ts',
      group: 'load tool',
      test: 'sends in pairs, over a bare pipeline and the product, and finds every message everywhere',
      shows: /product 1\/1: FAILED[^]*[1-9]\d* not delivered/,
    },
  },
  {
    name: 'push-what-is-over',
    promise: 'a push that waited until its message was over is not shown',
    file: 'apps/gateway/src/deliver/inbox-delivery.ts',
    find: 'if (untilMs !== null && untilMs <= this.parts.wallClock()) {',
    replace: 'if (untilMs !== null && untilMs < 0) {',
    check: {
      spec: 'test/e2e/temporary.e2e-spec.ts',
      group: 'what waited in the inbox of a gateway until it was over',
      test: 'is pushed to nobody, and is no gap that stays',
      shows: /Expected value: not "[0-9a-f-]{36}"/,
    },
  },
  {
    name: 'tell-senders-no-end',
    promise: 'an own message of a temporary chat leaves its device in time, though no push comes',
    file: 'apps/gateway/src/socket/server-frames.ts',
    find: `const end = expiresAt === undefined ? '' : \`,"expiresAt":"\${expiresAt}"\`;`,
    replace: `const end = expiresAt === undefined ? '' : '';`,
    check: {
      spec: 'test/e2e/temporary.e2e-spec.ts',
      group: 'an own message whose push does not come',
      test: 'leaves the device that sent it by the end that its acknowledgement names',
      shows: /Expected: 20000\nReceived: NaN/,
    },
  },
  {
    name: 'refuse-a-change-that-was-made',
    promise: 'whoever made a change is told so, also when they were removed meanwhile',
    file: 'apps/gateway/src/change/change.service.ts',
    find: 'if (!same) throw',
    replace: 'if (!same || !visible) throw',
    check: {
      spec: 'test/e2e/delayed.e2e-spec.ts',
      group: 'while storage lags behind the log',
      test: 'an author who is removed meanwhile is told what became of their edit, and no more of it',
      shows: /- {3}"type": "changed",\n\+ {3}"type": "error",/,
    },
  },
  {
    name: 'open-for-a-removed-device',
    promise: 'a removed device keeps no socket, whenever it was opened',
    file: 'apps/gateway/src/socket/connection-opener.ts',
    find: 'gate.requireNow(userId, deviceId, sessionGeneration),',
    replace: 'Promise.resolve(gate),',
    check: {
      spec: 'test/e2e/account-life.e2e-spec.ts',
      group: 'the life of an account, on two gateways and two devices › devices',
      test: 'lose also a socket whose ticket was taken, and whose route is not written yet',
      shows: /- Array \[\]\n\+ Array \[[^]*\+ {5}"resumeTicket": /,
    },
  },
  {
    name: 'change-what-others-wrote',
    promise: 'nobody edits or deletes what is not theirs to change',
    file: 'apps/gateway/src/change/change-rules.ts',
    find: 'const own = message.senderId === userId;',
    replace: `const own = userId !== '';`,
    check: {
      spec: 'test/e2e/changes.e2e-spec.ts',
      group: 'messages are answered, edited and deleted',
      test: 'nobody changes what is not his, and outsiders learn nothing',
      shows: /- {3}"code": "not_allowed",\n- {3}"type": "error",\n\+ {3}"type": "changed",/,
    },
  },
  {
    name: 'show-what-lay-before',
    promise: 'who joins a group is shown nothing of what was said before',
    file: 'apps/storage/src/messages/messages.repository.ts',
    find: 'x.position > GREATEST($2::int8, $3::int8)',
    replace: 'x.position > LEAST($2::int8, $3::int8)',
    check: {
      spec: 'test/e2e/groups.e2e-spec.ts',
      group: 'groups',
      test: 'what lay before joining stays invisible when session and storage begin anew',
      shows: /\+ {3}"before",/,
    },
  },
  {
    name: 'show-images-to-who-left',
    promise: 'images are for those who are members now',
    file: 'apps/storage/src/media/media.repository.ts',
    find: "AND p.user_id = $1 AND ${isMember('p')}`;",
    replace: 'AND p.user_id = $1 AND p.from_position IS NOT NULL`;',
    check: {
      spec: 'test/e2e/media.e2e-spec.ts',
      group: 'who may',
      test: 'ends the URLs of who is no member any more',
      shows: /- {3}404,[^]*\+ {3}200,/,
    },
  },
];
