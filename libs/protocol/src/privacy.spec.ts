import { TidingsError } from './errors';
import { PRIVACY_TABLE, requireAdmitted, seesPresence, type PresenceSide } from './privacy';

type LastSeen = PresenceSide['lastSeen'];

const SETTINGS = Object.keys(PRIVACY_TABLE.lastSeen) as LastSeen[];
const EITHER = [false, true];
const SIDES: PresenceSide[] = SETTINGS.flatMap((lastSeen) =>
  EITHER.flatMap((hasOther) => EITHER.map((blocksOther) => ({ lastSeen, hasOther, blocksOther }))),
);
const nameOf = ({ lastSeen, hasOther, blocksOther }: PresenceSide): string =>
  `${lastSeen}${hasOther ? ', has the other' : ''}${blocksOther ? ', blocks the other' : ''}`;

describe('seesPresence', () => {
  const pairs = SIDES.flatMap((viewer) => SIDES.map((other) => [viewer, other] as const));
  it.each(pairs.map(([viewer, other]) => [nameOf(viewer), nameOf(other), viewer, other] as const))(
    'viewer: %s; other: %s',
    (_viewer, _other, viewer, other) => {
      const shows = (side: PresenceSide): boolean =>
        side.lastSeen === 'everyone' || (side.lastSeen === 'contacts' && side.hasOther);
      expect(seesPresence(viewer, other)).toBe(!other.blocksOther && shows(viewer) && shows(other));
    },
  );
});

describe('requireAdmitted', () => {
  it.each<['messages' | 'groups', 'everyone' | 'contacts', boolean, boolean]>([
    ['messages', 'everyone', true, true],
    ['messages', 'everyone', false, true],
    ['messages', 'contacts', true, true],
    ['messages', 'contacts', false, false],
    ['groups', 'everyone', true, true],
    ['groups', 'everyone', false, true],
    ['groups', 'contacts', true, true],
    ['groups', 'contacts', false, false],
  ])('%s: %s, has them: %s → %s', (setting, value, hasThem, admitted) => {
    const ask = () =>
      requireAdmitted(setting, [
        { value: 'everyone', hasThem },
        { value, hasThem },
      ]);
    if (admitted) expect(ask).not.toThrow();
    else expect(ask).toThrow(new TidingsError('not_allowed'));
  });

  it('admits to nobody', () => expect(() => requireAdmitted('groups', [])).not.toThrow());
});
