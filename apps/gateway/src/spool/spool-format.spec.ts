import { heldRecord } from '../testing/held-records';
import { decodeEntry, encodeEntry, MAX_PAYLOAD_BYTES, scanEntries } from './spool-format';

const RECORDS = [
  heldRecord(1),
  { ...heldRecord(2, { text: 'Zürich 東京 🙂 "\\' }), headers: { traceparent: '00-é' } },
  heldRecord(3, { text: '' }),
];
const FILE = Buffer.concat(RECORDS.map(encodeEntry));
const LAST_AT = FILE.length - encodeEntry(RECORDS[2]!).length;
const read = (data: Buffer) => scanEntries(data).map(({ record }) => record);

describe('entries of a spool file', () => {
  it('come back as they went in, in order', () => {
    expect(read(FILE)).toEqual(RECORDS);
    expect(scanEntries(FILE).at(-1)!.end).toBe(FILE.length);
  });

  it('are none in an empty file', () => {
    expect(scanEntries(Buffer.alloc(0))).toEqual([]);
  });

  it('are whole up to a tail that is torn at any byte', () => {
    for (let length = LAST_AT; length < FILE.length; length++) {
      const found = scanEntries(FILE.subarray(0, length));
      expect(found).toHaveLength(2);
      expect(found[1]!.end).toBe(LAST_AT);
    }
  });

  it('are whole up to a tail of zeros, as a file has that grew before a power cut', () => {
    for (let length = LAST_AT; length < FILE.length; length++) {
      const data = Buffer.concat([FILE.subarray(0, length), Buffer.alloc(4096)]);
      expect(
        scanEntries(data)
          .slice(0, 2)
          .map(({ record }) => record),
      ).toEqual(RECORDS.slice(0, 2));
      expect(scanEntries(data)).toHaveLength(2);
    }
  });

  it('are refused for any flipped bit, and nothing behind them is believed', () => {
    const firstEnd = decodeEntry(FILE, 0)!.end;
    for (let bit = firstEnd * 8; bit < LAST_AT * 8; bit++) {
      const data = Buffer.from(FILE);
      data[bit >> 3]! ^= 1 << (bit & 7);
      expect(read(data)).toEqual(RECORDS.slice(0, 1));
    }
  });

  it('are bounded: the largest fits, a byte more does not', () => {
    const least = { key: '', type: '', id: '', time: '' };
    const most = MAX_PAYLOAD_BYTES - 10;
    const fits = { ...least, value: 'x'.repeat(most) };
    expect(read(encodeEntry(fits))).toEqual([fits]);
    expect(() => encodeEntry({ ...least, value: 'x'.repeat(most + 1) })).toThrow(RangeError);
    expect(() => encodeEntry({ ...fits, value: '', key: 'x'.repeat(65_536) })).toThrow(RangeError);
  });
});
