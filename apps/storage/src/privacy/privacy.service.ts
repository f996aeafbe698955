import { Injectable } from '@nestjs/common';
import { requireAdmitted, seesPresence, type RefusingSetting } from '@tidings/protocol/privacy';
import { PrivacyRepository } from './privacy.repository';

/** Says what people let others see and do. */
@Injectable()
export class PrivacyService {
  constructor(private readonly privacy: PrivacyRepository) {}

  /** Those of `userIds` whose presence the viewer may see; oneself always, unknown ones never. */
  async visiblePresence(
    viewerId: string,
    userIds: readonly string[],
  ): Promise<{ items: string[] }> {
    const pairs = await this.privacy.presencePairs(viewerId, userIds);
    const seen = pairs.filter(
      ({ userId, viewer, other }) => userId === viewerId || seesPresence(viewer, other),
    );
    return { items: seen.map(({ userId }) => userId) };
  }

  /** Throws `not_allowed` when the setting of any of the others does not admit who acts. */
  async requireAdmitted(
    setting: RefusingSetting,
    actorId: string,
    otherIds: readonly string[],
  ): Promise<void> {
    requireAdmitted(setting, await this.privacy.admissions(setting, actorId, otherIds));
  }
}
