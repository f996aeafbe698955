import { judge } from './judge';
import { Story } from './testing/story';
import { EXAMPLES, VIOLATION_TYPES, type ViolationType, WITNESSES } from './violations';

type Tell = (story: Story) => void;

const told = (tell: Tell) => {
  const story = new Story().group('g', ['ann', 'bob']);
  tell(story);
  return judge(story.events);
};

/** Ann and Bob, who has two devices, say everything that can be said; all of it is right. */
const ordinary: Tell = (s) => {
  const one = s.said('ann', 'g', 'm1', '11');
  s.sees('frame', 'bob', 'g', [one]);
  s.sees('frame', 'bob', 'g', [one], { d: 'bob+', s: 'another connection' });
  s.sees('emit', 'bob', 'g', [one]);
  const two = s.said('bob', 'g', 'm2', '12', { re: 'm1' });
  s.sees('frame', 'ann', 'g', [two]);
  s.sees('frame', 'ann', 'g', [two]);
  const again = s.edited('ann', 'g', one, '13', 'better');
  s.sees('frame', 'bob', 'g', [again], { seq: '13' });
  s.sees('answer', 'bob', 'g', [again, two]);
  const gone = s.deleted('bob', 'g', two, '14');
  s.marks('received', 'bob', 'g', '14');
  s.receipt('ann', 'g', 'bob', '14', '0');
  s.marks('read', 'bob', 'g', '11');
  s.receipt('ann', 'g', 'bob', '14', '11');
  const three = s.said('ann', 'g', 'm3', '15');
  s.rests();
  s.sees('page', 'ann', 'g', [again, gone, three]);
  s.sees('page', 'bob', 'g', [again, gone, three]);
  s.sees('final', 'ann', 'g', [again, gone, three]);
  s.sees('final', 'bob', 'g', [again, gone, three]);
  s.tell({ k: 'obs', f: 'unread', u: 'bob', d: 'bob', c: 'g', n: 1 });
  s.tell({ k: 'obs', f: 'unread', u: 'ann', d: 'ann', c: 'g', n: 0 });
};

/** Ann's device gives a message up, which lies in the log behind her next one nevertheless. */
function givenUp(s: Parameters<Tell>[0]): void {
  const one = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'x' });
  const { f, u, d, c, cid, i: op } = one;
  const two = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm2', v: 'y' });
  s.tell({ k: 'info', f, u, d, c, cid, op, v: 'content_expired' });
  s.end(two, 'ok', '11');
  const late = { cid: 'm1', seq: '12', u: 'ann', v: 'x', e: s.now + 16e9 };
  s.rests().sees('page', 'bob', 'g', [
    { cid: 'm2', seq: '11', u: 'ann', v: 'y', e: s.now + 16e9 },
    late,
  ]);
}

const GOOD: [string, Tell][] = [
  ['an ordinary chat', ordinary],
  [
    'what is unread of what stays, though its own device took it for temporary',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('emit', 'ann', 'g', [{ ...one, e: s.now + 5e9 }]);
      s.wait(30).unread('bob', 'g', 1);
    },
  ],
  [
    'a try that comes late, of what its sender was told is refused',
    (s) => {
      const one = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'x' });
      const { f, u, d, c, cid, i: op } = one;
      s.tell({ k: 'info', f, u, d, c, cid, op, v: 'no_such_conversation' });
      const two = s.said('ann', 'g', 'm2', '11');
      const three = s.said('ann', 'g', 'm3', '13');
      const late = { cid: 'm1', seq: '12', u: 'ann', v: 'x' };
      s.rests().sees('page', 'bob', 'g', [two, late, three]);
    },
  ],
  [
    'an edit whose message was over when somebody asked what had become of it',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '20' });
      const ends = { ...s.said('ann', 'g', 'm1', '11'), e: s.now + 20e9 };
      const edit = s.begin({ f: 'edit', u: 'ann', c: 'g', cid: 'm1', v: 'better' });
      s.sees('frame', 'bob', 'g', [{ ...ends, ver: '12', v: 'better' }]);
      const { f, u, d, c, cid, i: op } = edit;
      s.wait(30).tell({ k: 'fail', f, u, d, c, cid, op, v: 'not_found' });
    },
  ],
  [
    'what its device took for over while its lifetime was taken away, behind what was said then',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '20' });
      const change = s.begin({ f: 'lifetime', u: 'bob', c: 'g', v: 'none' });
      givenUp(s);
      s.end(change, 'ok');
    },
  ],
  [
    'a history that two read about the end of a message',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '20' });
      const ends = { ...s.said('ann', 'g', 'm1', '11'), e: s.now + 20e9 };
      s.wait(13).rests().sees('page', 'ann', 'g', [ends]);
      s.wait(2).sees('page', 'bob', 'g', []);
    },
  ],
  [
    'what is unread, between what is certain and what is possible',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.unread('bob', 'g', 1);
      const two = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm2', v: 'x' });
      s.unread('bob', 'g', 1);
      s.unread('bob', 'g', 2);
      s.end(two, 'ok', '12');
      s.marks('read', 'bob', 'g', '12');
      for (const n of [0, 1, 2]) s.unread('bob', 'g', n);
      s.receipt('ann', 'g', 'bob', '12', '12');
      s.unread('bob', 'g', 0);
      const three = s.said('ann', 'g', 'm3', '13');
      const gone = s.begin({ f: 'delete', u: 'ann', c: 'g', cid: three.cid });
      for (const n of [0, 1]) s.unread('bob', 'g', n);
      s.end(gone, 'ok', '14');
      s.unread('bob', 'g', 0);
      s.unread('ann', 'g', 0);
    },
  ],
  [
    'what was asked before a mark was shown, and answered behind it',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      const inv = s.now;
      s.marks('read', 'bob', 'g', '11');
      s.receipt('ann', 'g', 'bob', '11', '11');
      s.tell({ k: 'obs', f: 'unread', u: 'bob', d: 'bob', c: 'g', n: 1, inv });
    },
  ],
  [
    'what is unread of what ends, about the moment of its end',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '20' });
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('frame', 'bob', 'g', [{ ...one, e: s.now + 20e9 }]);
      s.unread('bob', 'g', 1);
      s.wait(10);
      for (const n of [0, 1]) s.unread('bob', 'g', n);
      s.wait(3).unread('bob', 'g', 0);
    },
  ],
  [
    'who comes and goes is online, away and seen in between',
    (s) => {
      s.presence('ann', 'bob', 'offline');
      s.connects('bob').presence('ann', 'bob', 'online', s.now);
      s.wait(70).presence('ann', 'bob', 'online', s.now - 70e9);
      s.disconnects('bob').presence('ann', 'bob', 'online', s.now);
      s.presence('ann', 'bob', 'offline', s.now);
      // another one may know less
      s.presence('eve', 'bob', 'offline', s.now - 20e9);
    },
  ],
  [
    'a connection that was opened a moment ago',
    (s) => void s.connects('bob').presence('ann', 'bob', 'offline'),
  ],
  [
    'a send without an answer, seen or not',
    (s) => {
      s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'x' });
      s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm2', v: 'y' });
      s.rests().sees('page', 'bob', 'g', [{ cid: 'm1', seq: '11', u: 'ann', v: 'x' }]);
    },
  ],
  [
    'two sends at once, in either order',
    (s) => {
      const a = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'x' });
      const b = s.begin({ f: 'send', u: 'bob', c: 'g', cid: 'm2', v: 'y' });
      s.end(a, 'ok', '12');
      s.end(b, 'ok', '11');
    },
  ],
  [
    'a raw push that comes again higher up, and is merged',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('frame', 'bob', 'g', [one]);
      s.sees('frame', 'bob', 'g', [{ ...one, seq: '19' }]);
      s.sees('emit', 'bob', 'g', [one]);
    },
  ],
  [
    'who is added, sees what comes from then on, and is removed',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.done({ f: 'add', u: 'ann', c: 'g', x: 'cat', seq: '12' });
      const two = s.said('ann', 'g', 'm2', '13');
      s.sees('page', 'cat', 'g', [two]);
      const removal = s.begin({ f: 'remove', u: 'ann', c: 'g', x: 'cat' });
      const three = s.said('ann', 'g', 'm3', '14');
      s.sees('frame', 'cat', 'g', [three]);
      s.end(removal, 'ok');
      s.sees('page', 'cat', 'g', [], { inv: s.now });
      s.end(s.begin({ f: 'send', u: 'cat', c: 'g', cid: 'm4', v: 'x' }), 'fail');
    },
  ],
  [
    'who is added to a group that shows everything',
    (s) => {
      s.group('all', ['ann'], 'all');
      const one = s.said('ann', 'all', 'm1', '11');
      s.done({ f: 'add', u: 'ann', c: 'all', x: 'cat', seq: '12' });
      s.sees('page', 'cat', 'all', [one]);
    },
  ],
  [
    'a removal without an answer, which may not have happened',
    (s) => {
      s.begin({ f: 'remove', u: 'ann', c: 'g', x: 'bob' });
      s.sees('frame', 'bob', 'g', [s.said('ann', 'g', 'm1', '11')]);
      s.said('bob', 'g', 'm2', '12');
    },
  ],
  [
    'a block that ends, and a send within the first second of another',
    (s) => {
      s.group('d', ['ann', 'bob'], 'direct');
      s.done({ f: 'block', u: 'ann', x: 'bob' });
      s.done({ f: 'unblock', u: 'ann', x: 'bob' });
      s.said('bob', 'd', 'm1', '11');
      s.done({ f: 'block', u: 'ann', x: 'bob' });
      s.wait(-2.5).said('bob', 'd', 'm2', '12');
    },
  ],
  [
    'a temporary chat',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '10' });
      const one = { ...s.said('ann', 'g', 'm1', '11'), e: s.now + 10e9 };
      s.sees('emit', 'ann', 'g', [{ ...one, e: s.now + 20e9 }]);
      s.sees('frame', 'bob', 'g', [one]);
      s.sees('page', 'bob', 'g', [one]);
      const gone = s.deleted('ann', 'g', one, '12');
      s.wait(10).sees('frame', 'bob', 'g', [gone], { seq: '12' });
      s.rests();
      s.sees('page', 'bob', 'g', []);
      s.sees('final', 'bob', 'g', []);
      s.tell({ k: 'obs', f: 'unread', u: 'bob', d: 'bob', c: 'g', n: 0 });
    },
  ],
];

const BAD: [ViolationType, string, Tell][] = [
  [
    'lost',
    'in the history of a member',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.rests().sees('page', 'bob', 'g', []);
    },
  ],
  [
    'missing_on_device',
    'at rest',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.rests().sees('final', 'bob', 'g', []);
    },
  ],
  [
    'histories_differ',
    'of two members, by a message that nobody acknowledged',
    (s) => {
      s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'x' });
      s.rests().sees('page', 'ann', 'g', [{ cid: 'm1', seq: '11', u: 'ann', v: 'x' }]);
      s.sees('page', 'bob', 'g', []);
    },
  ],
  [
    'device_differs',
    'by the version of a message',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      const better = s.edited('ann', 'g', one, '12', 'better');
      s.rests().sees('page', 'bob', 'g', [better]);
      s.sees('final', 'bob', 'g', [one]);
    },
  ],
  ['invented', 'an id', (s) => s.sees('frame', 'bob', 'g', [seen('m9', '11')])],
  [
    'invented',
    'in another conversation',
    (s) => {
      s.group('h', ['bob', 'ann']);
      s.sees('frame', 'bob', 'h', [s.said('ann', 'g', 'm1', '11')]);
    },
  ],
  [
    'refused_but_seen',
    'a message',
    (s) => {
      s.end(s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'text of m1' }), 'fail');
      s.sees('frame', 'bob', 'g', [seen('m1', '11')]);
    },
  ],
  [
    'seen_too_early',
    'before it was sent',
    (s) => {
      s.sees('frame', 'bob', 'g', [seen('m1', '11')]);
      s.said('ann', 'g', 'm1', '11');
    },
  ],
  [
    'other_sender',
    'than who sent it',
    (s) => s.sees('frame', 'bob', 'g', [{ ...s.said('ann', 'g', 'm1', '11'), u: 'eve' }]),
  ],
  [
    'other_content',
    'another text',
    (s) => s.sees('frame', 'bob', 'g', [{ ...s.said('ann', 'g', 'm1', '11'), v: 'text of m2' }]),
  ],
  [
    'other_content',
    'an answer to something else',
    (s) => s.sees('frame', 'bob', 'g', [{ ...s.said('ann', 'g', 'm1', '11'), re: 'm0' }]),
  ],
  [
    'other_content',
    'of an edit that was refused',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.end(s.begin({ f: 'edit', u: 'ann', c: 'g', cid: 'm1', v: 'no' }), 'fail');
      s.sees('frame', 'bob', 'g', [{ ...one, v: 'no' }]);
    },
  ],
  [
    'other_content',
    'deleted by nobody',
    (s) => s.sees('frame', 'bob', 'g', [{ ...s.said('ann', 'g', 'm1', '11'), v: null }]),
  ],
  [
    'doubled',
    'shown to the application',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('emit', 'bob', 'g', [one]);
      s.sees('emit', 'bob', 'g', [one]);
    },
  ],
  [
    'two_positions',
    'the acknowledged and the one in the history',
    (s) => s.sees('page', 'bob', 'g', [{ ...s.said('ann', 'g', 'm1', '11'), seq: '12' }]),
  ],
  [
    'shared_position',
    'two messages',
    (s) => {
      s.begin({ f: 'send', u: 'bob', c: 'g', cid: 'm2', v: 'text of m2' });
      s.said('ann', 'g', 'm1', '11');
      s.sees('emit', 'ann', 'g', [{ ...seen('m2', '11'), u: 'bob' }]);
    },
  ],
  [
    'push_order',
    'on one connection',
    (s) => {
      const [one, two] = [s.said('ann', 'g', 'm1', '11'), s.said('ann', 'g', 'm2', '12')];
      s.sees('frame', 'bob', 'g', [two]);
      s.sees('frame', 'bob', 'g', [one]);
    },
  ],
  [
    'push_order',
    'an edit below what was pushed',
    (s) => {
      const one = s.edited('ann', 'g', s.said('ann', 'g', 'm1', '11'), '12', 'better');
      s.sees('frame', 'bob', 'g', [s.said('ann', 'g', 'm2', '13')]);
      s.sees('frame', 'bob', 'g', [one], { seq: '12' });
    },
  ],
  [
    'history_order',
    'in an answer',
    (s) => {
      const [one, two] = [s.said('ann', 'g', 'm1', '11'), s.said('ann', 'g', 'm2', '12')];
      s.sees('answer', 'bob', 'g', [two, one]);
    },
  ],
  [
    'sending_order',
    'of one device, sent at once',
    (s) => {
      const one = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'x' });
      const two = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm2', v: 'y' });
      s.end(two, 'ok', '11');
      s.end(one, 'ok', '12');
    },
  ],
  [
    'sending_order',
    'of what its device took for over, and what was said then',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '20' });
      givenUp(s);
    },
  ],
  [
    'real_time_order',
    'of two people',
    (s) => {
      s.said('ann', 'g', 'm1', '12');
      s.said('bob', 'g', 'm2', '11');
    },
  ],
  [
    'real_time_order',
    'of a message and a removal',
    (s) => {
      s.said('ann', 'g', 'm1', '12');
      s.done({ f: 'remove', u: 'ann', c: 'g', x: 'bob', seq: '11' });
    },
  ],
  [
    'before_what_was_read',
    'an answer above its question',
    (s) => {
      const question = s.begin({ f: 'send', u: 'ann', c: 'g', cid: 'm1', v: 'text of m1' });
      s.sees('emit', 'bob', 'g', [seen('m1', '12')]);
      s.said('bob', 'g', 'm2', '11');
      s.end(question, 'ok', '12');
    },
  ],
  [
    'mark_fell',
    'at one device',
    (s) => {
      s.marks('received', 'bob', 'g', '14');
      s.receipt('ann', 'g', 'bob', '14', '0');
      s.receipt('ann', 'g', 'bob', '13', '0');
    },
  ],
  [
    'mark_untold',
    'more was read than anybody told',
    (s) => {
      s.marks('received', 'bob', 'g', '14');
      s.marks('read', 'bob', 'g', '12');
      s.receipt('ann', 'g', 'bob', '14', '13');
    },
  ],
  [
    'mark_untold',
    'received before it was told',
    (s) => void s.receipt('ann', 'g', 'bob', '14', '0'),
  ],
  [
    'read_above_delivered',
    'a receipt',
    (s) => {
      s.marks('received', 'bob', 'g', '12');
      s.marks('read', 'bob', 'g', '14');
      s.receipt('ann', 'g', 'bob', '12', '14');
    },
  ],
  [
    'unread_wrong',
    'own and deleted messages count',
    (s) => {
      const mine = s.said('bob', 'g', 'm1', '11');
      const gone = s.deleted('ann', 'g', s.said('ann', 'g', 'm2', '12'), '13');
      s.rests().sees('page', 'bob', 'g', [mine, gone]);
      s.tell({ k: 'obs', f: 'unread', u: 'bob', d: 'bob', c: 'g', n: 2 });
    },
  ],
  [
    'unread_wrong',
    'what was read counts',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.marks('read', 'bob', 'g', '11');
      s.rests().sees('page', 'bob', 'g', [one]);
      s.tell({ k: 'obs', f: 'unread', u: 'bob', d: 'bob', c: 'g', n: 1 });
    },
  ],
  [
    'unread_wrong',
    'less than is certain, in flight',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.unread('bob', 'g', 0);
    },
  ],
  [
    'unread_wrong',
    'more than was said, in flight',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.unread('bob', 'g', 2);
    },
  ],
  [
    'unread_wrong',
    'an own message, in flight',
    (s) => {
      s.said('bob', 'g', 'm1', '11');
      s.unread('bob', 'g', 1);
    },
  ],
  [
    'unread_wrong',
    'what others know to be read, in flight',
    (s) => {
      s.said('ann', 'g', 'm1', '11');
      s.marks('read', 'bob', 'g', '11');
      s.receipt('ann', 'g', 'bob', '11', '11');
      s.unread('bob', 'g', 1);
    },
  ],
  [
    'unread_wrong',
    'what was deleted before, in flight',
    (s) => {
      s.deleted('ann', 'g', s.said('ann', 'g', 'm1', '11'), '12');
      s.unread('bob', 'g', 1);
    },
  ],
  [
    'unread_wrong',
    'what has ended, in flight',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '20' });
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('frame', 'bob', 'g', [{ ...one, e: s.now + 20e9 }]);
      s.wait(30).unread('bob', 'g', 1);
    },
  ],
  [
    'seen_offline',
    'who has been connected for long',
    (s) => void s.connects('bob').wait(20).presence('ann', 'bob', 'offline'),
  ],
  [
    'seen_offline',
    'although one of two connections is over',
    (s) => {
      s.connects('bob').connects('bob', 'another').wait(20).disconnects('bob');
      s.presence('ann', 'bob', 'offline');
    },
  ],
  ['seen_online', 'who was never there', (s) => s.presence('ann', 'bob', 'online')],
  [
    'seen_online',
    'who has long been away',
    (s) => void s.connects('bob').disconnects('bob').wait(100).presence('ann', 'bob', 'online'),
  ],
  [
    'last_seen_fell',
    'to one observer',
    (s) => {
      s.presence('ann', 'bob', 'offline', 5e9);
      s.presence('ann', 'bob', 'offline', 4e9);
    },
  ],
  ['last_seen_wrong', 'in the future', (s) => s.presence('ann', 'bob', 'offline', s.now + 60e9)],
  [
    'last_seen_wrong',
    'before a connection that is long known',
    (s) =>
      void s
        .connects('bob')
        .wait(70)
        .presence('ann', 'bob', 'online', s.now - 90e9),
  ],
  ['leak', 'to an outsider', (s) => s.sees('frame', 'eve', 'g', [s.said('ann', 'g', 'm1', '11')])],
  [
    'leak',
    'of what lay before he was added',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.done({ f: 'add', u: 'ann', c: 'g', x: 'cat', seq: '12' });
      s.sees('page', 'cat', 'g', [one]);
    },
  ],
  [
    'leak',
    'after his removal',
    (s) => {
      s.done({ f: 'remove', u: 'ann', c: 'g', x: 'bob' });
      s.sees('frame', 'bob', 'g', [s.said('ann', 'g', 'm1', '11')]);
    },
  ],
  [
    'leak',
    'of an edit after his removal',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.done({ f: 'remove', u: 'ann', c: 'g', x: 'bob' });
      const better = s.edited('ann', 'g', one, '13', 'better');
      s.sees('frame', 'bob', 'g', [better], { seq: '13' });
    },
  ],
  [
    'receipt_leak',
    'to an outsider',
    (s) => {
      s.marks('received', 'bob', 'g', '11');
      s.receipt('eve', 'g', 'bob', '11', '0');
    },
  ],
  [
    'done_by_outsider',
    'a send after the removal',
    (s) => {
      s.done({ f: 'remove', u: 'ann', c: 'g', x: 'bob' });
      s.said('bob', 'g', 'm1', '11');
    },
  ],
  [
    'read_by_outsider',
    'what he could see once',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.done({ f: 'remove', u: 'ann', c: 'g', x: 'bob' });
      s.sees('page', 'bob', 'g', [one]);
    },
  ],
  [
    'sent_though_blocked',
    'to who blocks',
    (s) => {
      s.group('d', ['ann', 'bob'], 'direct');
      s.done({ f: 'block', u: 'ann', x: 'bob' });
      s.said('bob', 'd', 'm1', '11');
    },
  ],
  [
    'shown_after_deletion',
    'by a read that began later',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.deleted('ann', 'g', one, '12');
      s.sees('answer', 'bob', 'g', [one]);
    },
  ],
  [
    'version_fell',
    'from one read to the next',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('page', 'bob', 'g', [s.edited('ann', 'g', one, '12', 'better')]);
      s.sees('page', 'bob', 'g', [one]);
    },
  ],
  [
    'change_lost',
    'an edit, at rest',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.edited('ann', 'g', one, '12', 'better');
      s.rests().sees('page', 'bob', 'g', [one]);
    },
  ],
  [
    'foreign_change',
    'an edit by somebody else',
    (s) => void s.edited('bob', 'g', s.said('ann', 'g', 'm1', '11'), '12', 'better'),
  ],
  [
    'foreign_change',
    'a deletion by who is no admin',
    (s) => void s.deleted('bob', 'g', s.said('ann', 'g', 'm1', '11'), '12'),
  ],
  [
    'shown_after_end',
    'in an answer',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '10' });
      const one = { ...s.said('ann', 'g', 'm1', '11'), e: s.now + 10e9 };
      s.wait(10).sees('page', 'bob', 'g', [one]);
    },
  ],
  [
    'shown_after_end',
    'by a push that comes much later',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '10' });
      const one = { ...s.said('ann', 'g', 'm1', '11'), e: s.now + 10e9 };
      s.wait(10).sees('frame', 'bob', 'g', [one]);
    },
  ],
  [
    'no_end',
    'where messages have a lifetime',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '100' });
      s.sees('frame', 'bob', 'g', [s.said('ann', 'g', 'm1', '11')]);
    },
  ],
  [
    'wrong_end',
    'another than the lifetime',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '100' });
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('frame', 'bob', 'g', [{ ...one, e: s.now + 10e9 }]);
    },
  ],
  [
    'wrong_end',
    'where everything stays',
    (s) => {
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('frame', 'bob', 'g', [{ ...one, e: s.now + 100e9 }]);
    },
  ],
  [
    'wrong_end',
    'two ends of one message',
    (s) => {
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '100' });
      s.done({ f: 'lifetime', u: 'ann', c: 'g', v: '103' });
      s.wait(-4);
      const one = s.said('ann', 'g', 'm1', '11');
      s.sees('frame', 'bob', 'g', [{ ...one, e: s.now + 100e9 }]);
      s.sees('answer', 'bob', 'g', [{ ...one, e: s.now + 103e9 }]);
    },
  ],
];

function seen(cid: string, seq: string) {
  return { cid, seq, u: 'ann', v: `text of ${cid}` };
}

describe('judge', () => {
  it.each(GOOD)('finds nothing wrong with %s', (_, tell) => {
    const judgement = told(tell);
    expect(judgement.violations).toEqual([]);
  });

  it.each(BAD)('finds just: %s (%s)', (type, _, tell) => {
    const judgement = told(tell);
    expect(judgement.valid).toBe(false);
    expect(Object.keys(judgement.counts)).toEqual([type]);
    expect(judgement.violations[0]).toMatchObject({ type, promise: promiseOf(type) });
    expect(judgement.violations[0]!.events.length).toBeGreaterThan(0);
  });

  it('has a bad history for each type', () => {
    const all = Object.values(VIOLATION_TYPES).flat();
    expect([...new Set(BAD.map(([type]) => type))].sort()).toEqual([...all].sort());
  });

  it('gives no verdict when too little happened', () => {
    const story = new Story().group('g', ['ann', 'bob']);
    ordinary(story);
    expect(judge(story.events, { send: 3 }).valid).toBe(true);
    expect(judge(story.events, { send: 4, block: 1 })).toMatchObject({
      valid: 'unknown',
      tooFew: ['send', 'block'],
    });
    expect(judge([]).valid).toBe('unknown');
  });

  it('counts what was done, by its end', () => {
    const story = new Story().group('g', ['ann', 'bob']);
    ordinary(story);
    expect(judge(story.events).operations).toEqual({
      add: { ok: 2, fail: 0, info: 0 },
      send: { ok: 3, fail: 0, info: 0 },
      edit: { ok: 1, fail: 0, info: 0 },
      delete: { ok: 1, fail: 0, info: 0 },
    });
  });

  it('shows few examples with few events, and counts all', () => {
    const { violations, counts } = told((s) => {
      for (let n = 0; n < 20; n++) s.sees('frame', 'bob', 'g', [seen(`m${n}`, `${10 + n}`)]);
    });
    expect(counts).toEqual({ invented: 20 });
    expect(violations).toHaveLength(EXAMPLES);
    expect(violations.every(({ events }) => events.length <= WITNESSES)).toBe(true);
  });
});

function promiseOf(type: ViolationType): string {
  const found = Object.entries(VIOLATION_TYPES).find(([, types]) =>
    (types as readonly ViolationType[]).includes(type),
  );
  return found![0];
}
