import { randomBytes } from 'node:crypto';
import { slowCrc32c } from '../../../../../test/support/kafka-wire';
import { crc32c } from './crc32c';

it('matches the check value of RFC 3720', () => {
  expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283);
});

it('matches the bitwise definition at every length and start', () => {
  const data = randomBytes(100);
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= data.length; end++) {
      expect(crc32c(data, start, end)).toBe(slowCrc32c(data.subarray(start, end)));
    }
  }
});
