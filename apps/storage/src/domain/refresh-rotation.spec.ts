import fc from 'fast-check';
import { judgeRefresh } from './refresh-rotation';

const NOW = 1_000_000;
const fresh = { loggedIn: true, generation: '7', issued: 3, confirmed: 2 };
const token = { generation: '7', sequence: 3, expiresAtMs: NOW + 1 };

describe('refresh token', () => {
  it.each([
    ['the newest one', {}, {}, { kind: 'rotate', sequence: 4, confirmed: 3 }],
    [
      'the one before, while the newest is unused',
      {},
      { sequence: 2 },
      { kind: 'rotate', sequence: 4, confirmed: 2 },
    ],
    ['a spent one', {}, { sequence: 1 }, { kind: 'reused' }],
    [
      'the one before, once the newest was used',
      { confirmed: 3 },
      { sequence: 2 },
      { kind: 'reused' },
    ],
    ['of an earlier login', {}, { generation: '6' }, { kind: 'expired' }],
    ['of a device that is logged out', { loggedIn: false }, {}, { kind: 'expired' }],
    [
      'at its last moment',
      {},
      { expiresAtMs: NOW + 1 },
      { kind: 'rotate', sequence: 4, confirmed: 3 },
    ],
    ['out of its time', {}, { expiresAtMs: NOW }, { kind: 'expired' }],
    ['spent and out of its time', {}, { sequence: 1, expiresAtMs: NOW }, { kind: 'reused' }],
  ])('%s', (_what, state, presented, verdict) => {
    expect(judgeRefresh({ ...fresh, ...state }, { ...token, ...presented }, NOW)).toEqual(verdict);
  });

  it('never logs out an owner who repeats lost answers and uses what arrives', () => {
    // true: the answer arrives and is used from then on; false: it is lost and the call repeated.
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), (arrives) => {
        const state = { ...fresh, issued: 1, confirmed: 1 };
        let held = 1;
        for (const arrived of arrives) {
          const verdict = judgeRefresh(state, { ...token, sequence: held }, NOW);
          if (verdict.kind !== 'rotate') return false;
          state.issued = verdict.sequence;
          state.confirmed = Math.max(state.confirmed, verdict.confirmed);
          if (arrived) held = verdict.sequence;
        }
        return true;
      }),
    );
  });

  it('finds out when a thief and the owner both go on', () => {
    const state = { ...fresh, issued: 1, confirmed: 1 };
    const use = (sequence: number) => {
      const verdict = judgeRefresh(state, { ...token, sequence }, NOW);
      if (verdict.kind === 'rotate') {
        state.issued = verdict.sequence;
        state.confirmed = Math.max(state.confirmed, verdict.confirmed);
      }
      return verdict;
    };
    const thief = use(1);
    const owner = use(1);
    expect([thief.kind, owner.kind]).toEqual(['rotate', 'rotate']);
    expect(use(owner.kind === 'rotate' ? owner.sequence : 0).kind).toBe('rotate');
    expect(use(thief.kind === 'rotate' ? thief.sequence : 0).kind).toBe('reused');
  });
});
