import { MAX_CHANGES } from '../../apps/gateway/src/change/change.handler';
import { MAX_CONVERSATIONS } from '../../apps/gateway/src/socket/typing-state';
import { SEND_QUEUE } from '../../apps/gateway/src/parts/log.parts';
import { SEND_SHARE } from '../../apps/gateway/src/parts/send.parts';
import { OPEN_CALLS_PER_USER } from '../../apps/gateway/src/http/open-calls.guard';
import { REFUSALS } from '../../apps/gateway/src/http/refusal-pace';
import {
  OPEN_PER_CONNECTION,
  PIECES,
  SLOW_CLIENTS,
} from '../../apps/gateway/src/http/slow-clients';
import { IMAGE_TURNS } from '../../apps/gateway/src/media/image-works';
import { READERS, UPLOADS } from '../../apps/gateway/src/media/media.parts';
import { READ_WINDOW_MS } from '../../apps/gateway/src/media/media-response';
import { WINDOW_MS, YIELD_AFTER_MS } from '../../apps/gateway/src/media/receive-body';
import { MAX_WAITING as MARKS_WAITING } from '../../apps/gateway/src/receipts/receipt-log';
import { MAX_FRAGMENTS } from '../../apps/gateway/src/socket/socket-server';
import { MAX_BUFFERED_BYTES, ROOM_WITHIN_MS } from '../../apps/gateway/src/socket/write-queue';
import { JOINED_MS } from '../../apps/gateway/src/socket/device-signs';
import { MAX_PAIRS } from '../../apps/gateway/src/presence/watches';
import { MAX_SYNCS } from '../../apps/gateway/src/sync/sync.handler';
import { MAX_READS } from '../../apps/gateway/src/trace/trace.service';
import { WAITING_MAX, WAITING_PER_CALLER } from '../../apps/storage/src/domain/turns';
import { SENDER_SHARE } from '../../apps/gateway/src/parts/holding.parts';
import { CALL_BOUNDS, FRAME_PLACES, type Place } from '@tidings/protocol/bounds';
import { clientFrame, serverFrame } from '@tidings/protocol/frames';
import {
  CALL_RATES,
  FRAME_RATES,
  LIMITS,
  RATES,
  TIMINGS,
  type RateName,
} from '@tidings/protocol/limits';

const KIB = 1024;
const MIB = KIB * KIB;

const size = (bytes: number): string =>
  bytes === 0 ? '–' : bytes >= MIB ? `${bytes / MIB} MiB` : `${bytes / KIB} KiB`;
const seconds = (ms: number): string => `${ms / 1000} s`;

function rate(name: RateName): string {
  const { per, burst, perMinute } = RATES[name];
  return `${name}: ${burst} + ${perMinute}/min per ${per}`;
}
const rates = (names: readonly RateName[]): string => names.map(rate).join('; ') || '–';

/** What each place is, how many there are, and what happens when there is none. */
const PLACES: Record<Place, [what: string, bound: string, full: string]> = {
  calls: [
    'a call under way, until its answer was taken',
    `${OPEN_CALLS_PER_USER} per user, ${OPEN_PER_CONNECTION} per connection`,
    `\`busy\`; an answer not taken in ${seconds(SLOW_CLIENTS.unreadMs)} is cut`,
  ],
  uploads: [
    'an upload that is being received',
    `${UPLOADS.all}, ${UPLOADS.perUser} per user, ${UPLOADS.perAddress} per address`,
    `\`busy\`, unless one that is slower than ${size(LIMITS.uploadBytesPerSecond)}/s for ${seconds(YIELD_AFTER_MS)} makes room; after ${seconds(WINDOW_MS)} it is refused (408) anyway`,
  ],
  images: [
    'an image that waits to be decoded',
    `${IMAGE_TURNS.concurrency} at a time; ${IMAGE_TURNS.limits.total} wait, ${IMAGE_TURNS.limits.perFlow} per user, users in turn, ${seconds(IMAGE_TURNS.waitLimitMs)}; pixels have a rate`,
    '`busy`; `rate_limited` for the pixels',
  ],
  downloads: [
    'an upload that is being read',
    `${READERS.all}, ${READERS.perUser} per user`,
    `\`busy\`, unless a slow one makes room; one slower than ${size(LIMITS.uploadBytesPerSecond)}/s for ${seconds(READ_WINDOW_MS)} is cut`,
  ],
  hashing: [
    'a password that is compared or hashed (storage)',
    'a few at a time, the others in a bounded line, seconds at most',
    '`busy`',
  ],
  turns: [
    'a change of a conversation (storage)',
    `one after the other; ${WAITING_MAX} wait per conversation, ${WAITING_PER_CALLER} of one user, 2 s`,
    '`busy`, `unavailable`',
  ],
  log: [
    'a record on its way into the log',
    `${SEND_QUEUE.queueRecords} records and ${size(SEND_QUEUE.queueBytes)} per partition, 1/${1 / SEND_SHARE} per user; then the disk, \`SPOOL_MAX_BYTES\`, a quarter per partition, 1/${1 / SENDER_SHARE} per user`,
    '`busy`; `spool_full`',
  ],
  sends: ['a send without an answer', `${LIMITS.unansweredSends} per connection`, '`busy`'],
  changes: ['an edit or deletion under way', `${MAX_CHANGES} per connection`, '`busy`'],
  marks: [
    'marks of a device on their way, joined',
    `one per device and conversation; ${MARKS_WAITING} in all`,
    'the latest of each waits outside; over HTTP 202',
  ],
  typing: ['who writes, lossy', `${MAX_CONVERSATIONS} conversations per connection`, 'passed over'],
  activity: [
    'what a user does, joined',
    `a record at once, then one in ${seconds(JOINED_MS)} per connection; of \`state\` one a second`,
    'told later, the last word',
  ],
  watches: [
    'whom sockets watch',
    `${LIMITS.watch} users per connection, ${MAX_PAIRS} in all`,
    '`invalid_frame`; `busy`',
  ],
  syncs: [
    'a sync that is being answered',
    `${MAX_SYNCS} per connection`,
    `\`busy\`; a socket without room for the next part for ${seconds(ROOM_WITHIN_MS)} is closed (4008)`,
  ],
  traces: ['a record that is read back from the log', `${MAX_READS} in all`, '`unavailable`'],
  tickets: [
    'a ticket in Redis',
    `${TIMINGS.ticketSeconds} s each; as many as the rate \`connect\` gives`,
    'forgotten',
  ],
  socket: [
    'a WebSocket, and what it has not taken',
    `one per device, ${LIMITS.devicesPerUser} devices per user; \`MAX_CONNECTIONS\` in all, beside \`MAX_HTTP_CONNECTIONS\` for calls; \`ADDRESS_CONNECTIONS\` of both per address; ${size(MAX_BUFFERED_BYTES)} waiting`,
    '503; 4506 for the older of two; 4008 for who does not read',
  ],
};

const row = (...cells: string[]): string => `| ${cells.join(' | ')} |`;
const table = (head: string[], rows: string[][]): string =>
  [row(...head), row(...head.map(() => '---')), ...rows.map((cells) => row(...cells))].join('\n');

/** `docs/LIMITS.md`. */
export function limitsPage(): string {
  const calls = Object.entries(CALL_BOUNDS).map(([call, { request, answer, places }]) => [
    `\`${call}\``,
    size(request),
    size(answer),
    rates(CALL_RATES[call as keyof typeof CALL_RATES]),
    places.join(', ') || '–',
  ]);
  const frames = clientFrame.options.map((option) => {
    const type = option.shape.type.value;
    const name = FRAME_RATES[type];
    const places: readonly Place[] = FRAME_PLACES[type];
    return [
      `\`${type}\``,
      size(LIMITS.clientFrameBytes),
      name ? rate(name) : '–',
      places.join(', ') || '–',
    ];
  });
  const pushed = serverFrame.options.map((option) => `\`${option.shape.type.value}\``);
  const places = Object.entries(PLACES).map(([name, cells]) => [name, ...cells]);
  return `# Limits

What each call and frame may cost. Written by \`npm run docs\` from \`bounds.ts\`, \`limits.ts\` of \`libs/protocol\` and
where the work is done; \`test/docs/limits.spec.ts\` compares.

A body or frame above its bound is refused before it is read to its end (413; a frame closes with 1009). A list that would be
longer than its answer may be ends earlier and says so (\`cursor\`, \`more\`); an answer of \`sync\` ends
at 2 MiB with \`complete: false\`.
Beside its own rate every call counts for \`${rate('request')}\`, every frame for \`${rate('frame')}\`: who sends more frames is
closed (4029), all else is \`rate_limited\`. A user or an address is told so of ${REFUSALS.atOnce} calls at once and ${REFUSALS.perSecond} a second; more wait, and what
would wait longer than ${seconds(REFUSALS.maxWaitMs)} is cut, as is all above ${REFUSALS.maxWaiting} that wait.

## Calls

${table(['Call', 'Body', 'Answer', 'Rate', 'Places'], calls)}

A JSON body takes at most ${seconds(SLOW_CLIENTS.bodyMs)} (408). Whoever is answered before the body has come is cut after ${seconds(SLOW_CLIENTS.lingerMs)}.
A body comes in at most ${PIECES.free} pieces (chunks, or what a network hands over at once), and one more for each ${PIECES.bytes} bytes; else it is
cut. A frame comes in at most ${MAX_FRAGMENTS} fragments (1008).

## Frames

${table(['Frame', 'Size', 'Rate', 'Places'], frames)}

From the server, each at most ${size(LIMITS.serverFrameBytes)}: ${pushed.join(', ')}.

## Places

${table(['Place', 'What holds it', 'Bound', 'When there is none'], places)}

Counted in \`tidings_http_bounded_total\`, \`tidings_media_uploads_total\`, \`tidings_media_*_running\`, \`tidings_media_*_displaced\`,
\`tidings_media_images_waiting\`, \`tidings_media_images_refused\`, \`tidings_connections_closed_total\`, \`tidings_append_queued_records\`
and \`tidings_spool_bytes\`.
`;
}
