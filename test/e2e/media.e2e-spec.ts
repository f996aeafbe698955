import { Client } from 'pg';
import type { Conversation } from '@tidings/protocol/http';
import type { Stack } from '../../tools/stack/stack';
import { ChatUser } from '../support/chat-user';
import { startTestStack } from '../support/test-stack';
import { accessTests } from './media/access';
import { clientTests } from './media/clients';
import { fileTests } from './media/files';
import { imageTests } from './media/images';
import { URL_SECONDS } from './media/media-support';
import { refusalTests } from './media/refusals';
import { removalTests } from './media/removal';

const SWEEP_SECONDS = '0.3';

let stack: Stack;
let stop: () => Promise<void>;
let sql: Client;
let ann: ChatUser;
let bob: ChatUser;
let eve: ChatUser;
let chat: Conversation;

beforeAll(async () => {
  ({ stack, stop } = await startTestStack({
    env: {
      MEDIA_SWEEP_SECONDS: SWEEP_SECONDS,
      EXPIRY_SWEEP_SECONDS: SWEEP_SECONDS,
      MEDIA_URL_SECONDS: String(URL_SECONDS),
    },
  }));
  sql = new Client({ connectionString: stack.databaseUrl });
  await sql.connect();
  [ann, bob, eve] = (await Promise.all(
    [0, 1, 0].map((at) => ChatUser.create(stack.gatewayUrls, { at })),
  )) as [ChatUser, ChatUser, ChatUser];
  chat = await ann.direct(bob);
}, 240_000);

afterAll(async () => {
  await sql?.end();
  await stop?.();
});

const given = () => ({ stack, sql, ann, bob, eve, chat });

describe('images', () => imageTests(given));
describe('refusals leave nothing behind', () => refusalTests(given));
describe('files', () => fileTests(given));
describe('who may', () => accessTests(given));
describe('the SDK and the terminal client', () => clientTests(given));
// The last, since it restarts storage with other settings.
describe('the leader removes', () => removalTests(given));
