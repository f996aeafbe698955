/** Index of the flag "a beat is on its way and not yet handled" in the shared signal. */
export const BEAT_FLAG = 0;
/** Index of the flag "stop" in the shared signal. */
export const STOP_FLAG = 1;
