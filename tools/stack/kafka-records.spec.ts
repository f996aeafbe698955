import { parseRecordLine, showRecord } from './kafka-records';

const LINE = [
  'CreateTime:1764000000000',
  'Partition:3',
  'Offset:41',
  'ce_id:1,ce_type:message.sent,traceparent:00-a,b,ce_time:2026-01-01T00:00:00Z',
  'conversation',
  '{"text":"hi"}',
].join('\t');

describe('records of the console consumer', () => {
  it('are read with their headers', () => {
    expect(parseRecordLine(LINE)).toEqual({
      partition: '3',
      offset: '41',
      time: '2025-11-24T16:00:00.000Z',
      key: 'conversation',
      value: '{"text":"hi"}',
      headers: {
        ce_id: '1',
        ce_type: 'message.sent',
        traceparent: '00-a,b',
        ce_time: '2026-01-01T00:00:00Z',
      },
    });
  });

  it('may lack headers and a time, and hold tabs in the value', () => {
    const line = 'NO_TIMESTAMP\tPartition:0\tOffset:0\tNO_HEADERS\tnull\ta\tb';
    expect(parseRecordLine(line)).toMatchObject({ time: '-', headers: {}, value: 'a\tb' });
  });

  it.each(['', 'Processed a total of 3 messages', 'a\tb\tc\td\te\tf'])('are not %j', (line) => {
    expect(parseRecordLine(line)).toBeUndefined();
  });

  it('are shown in one line without control characters', () => {
    const record = parseRecordLine(LINE);
    if (!record) throw new Error('not parsed');
    expect(showRecord(record)).toBe(
      '3@41  2025-11-24T16:00:00.000Z  conversation  message.sent  {"text":"hi"}',
    );
    expect(showRecord({ ...record, value: 'a\u001b[2Jb\u009b' })).toContain('a\\u001b[2Jb\\u009b');
  });
});
