import type { Me, User } from '@tidings/common/contracts/http';
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
  return { ...toUser(entity), email, createdAt: createdAt.toISOString() };
}
