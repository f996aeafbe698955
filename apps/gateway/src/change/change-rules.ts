import type { ErrorCode } from '@tidings/protocol/errors';
import type { ChangeRequest } from '@tidings/common/log-records/change-record';
import type { ChangeTarget } from '@tidings/common/rpc/calls';

/**
 * Why a user may not change a message, as an error code; null when it is allowed. Its author may
 * edit and delete; owners and admins may delete. What is deleted already is not found.
 */
export function changeProblem(
  { message, role }: Pick<ChangeTarget, 'message' | 'role'>,
  { userId, content }: Pick<ChangeRequest, 'userId' | 'content'>,
): ErrorCode | null {
  if (!message || message.deleted) return 'not_found';
  if (message.content.kind === 'event') return 'not_allowed';
  const own = message.senderId === userId;
  const leads = role === 'owner' || role === 'admin';
  if (content === null) return own || leads ? null : 'not_allowed';
  return own && content.kind === message.content.kind ? null : 'not_allowed';
}
