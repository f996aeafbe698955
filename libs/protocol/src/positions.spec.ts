import { parseClientFrame } from './frames';
import { comparePositions, MAX_POSITION, maxPosition, position } from './positions';

describe('position', () => {
  it.each([
    ['0', true],
    ['1', true],
    ['9', true],
    ['10', true],
    ['999999999999999999', true],
    ['1000000000000000000', true],
    [MAX_POSITION, true],
    ['9223372036854775808', false],
    ['9999999999999999999', false],
    ['10000000000000000000', false],
    ['', false],
    ['00', false],
    ['01', false],
    ['-1', false],
    ['+1', false],
    ['1.0', false],
    ['1e3', false],
    ['0x1', false],
    [' 1', false],
    ['1\n', false],
    ['１', false],
    ['a'.repeat(19), false],
    ['9'.repeat(100_000), false],
    ['\u0000'.repeat(19), false],
    ['\ud800'.repeat(19), false],
  ])('%p is one: %s', (text, expected) => {
    expect(position.safeParse(text).success).toBe(expected);
  });

  it('is refused in a frame, not thrown', () => {
    const frame = { type: 'read', conversationId: 'x', position: 'a'.repeat(19) };
    const parsed = parseClientFrame(JSON.stringify(frame));
    expect(parsed).toMatchObject({ refusal: { code: 'invalid_frame', conversationId: 'x' } });
  });

  it('compares as a number', () => {
    expect(comparePositions('9', '10')).toBeLessThan(0);
    expect(comparePositions('10', '9')).toBeGreaterThan(0);
    expect(comparePositions('10', '10')).toBe(0);
    expect(maxPosition('9', '10')).toBe('10');
  });
});
