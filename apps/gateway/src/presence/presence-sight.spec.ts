import { TidingsError } from '@tidings/protocol/errors';
import { PresenceSight } from './presence-sight';

describe('PresenceSight', () => {
  it('is what storage says, and unavailable without it', async () => {
    const call = jest.fn().mockResolvedValueOnce({ items: ['b'] });
    const sight = new PresenceSight({ call });
    expect(await sight.visible('v', ['a', 'b'])).toEqual(new Set(['b']));
    expect(call).toHaveBeenCalledWith('presence.visible', { viewerId: 'v', userIds: ['a', 'b'] });
    call.mockRejectedValueOnce(new TidingsError('unavailable'));
    await expect(sight.visible('v', ['a'])).rejects.toThrow(new TidingsError('unavailable'));
  });
});
