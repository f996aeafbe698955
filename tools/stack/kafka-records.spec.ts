import { decodeRecord } from '@tidings/common/log-events/record';
import { showRecord } from './kafka-records';

const record = (more: Partial<Parameters<typeof decodeRecord>[2]> = {}) =>
  decodeRecord('x', 3, {
    offset: '41',
    timestamp: '1764000000000',
    key: Buffer.from('conversation'),
    value: Buffer.from('{"text":"hi"}'),
    headers: { ce_type: 'message.sent' },
    ...more,
  });

describe('a record as a line', () => {
  it('has its place, its time, its key, its type and its value', () => {
    expect(showRecord(record())).toBe(
      '3@41  2025-11-24T16:00:00.000Z  conversation  message.sent  {"text":"hi"}',
    );
  });

  it('may lack all of them', () => {
    const bare = record({ timestamp: '-1', key: null, value: null, headers: {} });
    expect(showRecord(bare)).toBe('3@41  -  -  -  ');
  });

  it('holds nothing that a terminal would obey', () => {
    const value = Buffer.from('a\u001b[2Jb\u009b\nc\u202ed');
    expect(showRecord(record({ value }))).toMatch(/a\\u001b\[2Jb\\u009b\\u000ac\\u202ed$/);
  });
});
