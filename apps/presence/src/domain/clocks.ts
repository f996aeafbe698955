/** What is kept of a user's presence in time; Unix milliseconds, null: never. They only rise. */
export interface Clocks {
  userId: string;
  /** Last sign of life. */
  lastSeenAtMs: number;
  /** Last time that the user did something. */
  activeAtMs: number | null;
  /** Last time that an app of the user was known to be connected. */
  connectedAtMs: number | null;
}
