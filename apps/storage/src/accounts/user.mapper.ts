import type { Me, PatchMeBody, Privacy, User } from '@tidings/protocol/http';
import type { UserEntity } from './user.entity';

/** A user as others see it: nothing but this list of fields leaves the service. */
export function toUser(
  entity: Pick<UserEntity, 'id' | 'username' | 'firstName' | 'lastName'>,
): User {
  const { id, username, firstName, lastName } = entity;
  return { id, username, firstName, ...(lastName !== null && { lastName }) };
}

/** A user as it sees itself. */
export function toMe(entity: UserEntity): Me {
  const { email, createdAt } = entity;
  return {
    ...toUser(entity),
    email,
    createdAt: createdAt.toISOString(),
    privacy: toPrivacy(entity),
  };
}

function toPrivacy(entity: UserEntity): Privacy {
  return {
    lastSeen: entity.privacyLastSeen,
    readReceipts: entity.privacyReadReceipts,
    messages: entity.privacyMessages,
    groups: entity.privacyGroups,
    findByEmail: entity.privacyFindByEmail,
  };
}

/** What a change of the own profile sets; undefined stays as it is. */
export function toChanges({ firstName, lastName, privacy = {} }: PatchMeBody): Partial<UserEntity> {
  const changes: Partial<UserEntity> = {
    firstName,
    lastName,
    privacyLastSeen: privacy.lastSeen,
    privacyReadReceipts: privacy.readReceipts,
    privacyMessages: privacy.messages,
    privacyGroups: privacy.groups,
    privacyFindByEmail: privacy.findByEmail,
  };
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Partial<UserEntity>;
}
