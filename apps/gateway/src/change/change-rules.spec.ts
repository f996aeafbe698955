import type { EditableContent, Message } from '@tidings/protocol/content';
import { changeProblem } from './change-rules';

const text: EditableContent = { kind: 'text', text: 'x' };
const custom: EditableContent = { kind: 'custom', data: 1 };
const created = { conversationKind: 'direct', kind: 'created', userIds: [] } as const;

const message = (content: Message['content'], more: Partial<Message> = {}): Message => ({
  conversationId: 'c',
  position: '5',
  messageId: 'm',
  senderId: 'author',
  content,
  sentAt: '',
  version: '0',
  ...more,
});

describe('who may change a message', () => {
  it.each([
    ['author', 'member', text, null],
    ['author', 'member', null, null],
    ['author', 'owner', text, null],
    ['author', 'owner', null, null],
    ['other', 'member', text, 'not_allowed'],
    ['other', 'member', null, 'not_allowed'],
    ['other', 'admin', text, 'not_allowed'],
    ['other', 'admin', null, null],
    ['other', 'owner', text, 'not_allowed'],
    ['other', 'owner', null, null],
  ] as const)('%s as %s with %j: %s', (userId, role, content, problem) => {
    expect(changeProblem({ message: message(text), role }, { userId, content })).toBe(problem);
  });
});

describe('what may be changed', () => {
  const facts = { type: 'image/png', size: 1, width: 1, height: 1 };
  const image: Message['content'] = { kind: 'image', mediaId: 'm', ...facts };
  const event: Message['content'] = { kind: 'event', event: { ...created, userIds: [] } };
  it.each<[string, Message | null, EditableContent | null, string | null]>([
    ['a text to a text', message(text), text, null],
    ['custom to custom', message(custom), custom, null],
    ['a text to custom', message(text), custom, 'not_allowed'],
    ['custom to a text', message(custom), text, 'not_allowed'],
    ['an image to a text', message(image), text, 'not_allowed'],
    ['an image away', message(image), null, null],
    ['an event', message(event), text, 'not_allowed'],
    ['an event away', message(event), null, 'not_allowed'],
    ['what is deleted', message({ kind: 'deleted' }, { deleted: true }), text, 'not_found'],
    ['what is deleted away', message({ kind: 'deleted' }, { deleted: true }), null, 'not_found'],
    ['nothing', null, text, 'not_found'],
    ['nothing away', null, null, 'not_found'],
  ])('%s', (_what, before, content, problem) => {
    const request = { userId: 'author', content };
    expect(changeProblem({ message: before, role: 'owner' }, request)).toBe(problem);
  });
});
