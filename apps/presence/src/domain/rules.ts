/** How presence judges; milliseconds. */
export interface PresenceRules {
  /** Somebody who did nothing for so long is away. */
  awayMs: number;
  /** How long a lost device is awaited from its last sign of life. */
  graceMs: number;
  /** What was told of the grace may need so long until it is read. */
  slackMs: number;
  /** How long a gateway may have lived on after the last sign of its own. */
  announceMs: number;
  /** Least time between two changes of a user. */
  gapMs: number;
}

/** The rules for these settings; milliseconds. */
export function rulesOf(settings: { awayMs: number; graceMs: number }): PresenceRules {
  return { ...settings, slackMs: 1_000, announceMs: 1_000, gapMs: 1_000 };
}
