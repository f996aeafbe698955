import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@tidings/common/runtime/logger';
import { toolEnv } from '../../apps/storage/src/storage.env';
import { conversationsPlan, seedConversations } from './seed-conversations';

const USER = '01890a5d-ac96-774b-bcce-b302099a8057';

describe('seed-conversations', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tidings-seed-'));
  const file = join(dir, 'users.json');
  afterAll(() => rmSync(dir, { recursive: true }));

  it('reads what seed wrote', () => {
    writeFileSync(file, JSON.stringify([{ userId: USER, username: 'a', deviceId: USER }]));
    expect(conversationsPlan(['--users', file, '--each', '4'])).toEqual({
      userIds: [USER],
      each: 4,
      messages: 12,
      textBytes: 128,
    });
  });

  it.each([
    [[]],
    [['--users', 'file']],
    [['--each', '4']],
    [['--users', 'file', '--each', '0']],
    [['--users', 'file', '--each', '4', '--messages', 'many']],
  ])('refuses %j with the usage', (args) => {
    expect(() => conversationsPlan(args)).toThrow(/usage/);
  });

  it('does nothing in production', async () => {
    const env = toolEnv.parse({ KAFKA_BROKERS: 'none:1', DATABASE_URL: 'postgres://none' });
    const plan = { userIds: [USER], each: 4, messages: 1, textBytes: 10 };
    const logger = createLogger({ service: 'test', nodeId: 'test', level: 'silent' });
    const production = { ...env, NODE_ENV: 'production' as const };
    await expect(seedConversations(production, plan, logger)).rejects.toThrow(/production/);
  });
});
