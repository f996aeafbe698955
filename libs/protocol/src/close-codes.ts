/**
 * WebSocket close codes (RFC 6455 §7.4.2, private range). 4000–4499: reconnect. 4500–4999: stop and
 * tell the user.
 */
export const CLOSE_CODES = {
  draining: 4000,
  heartbeatMissed: 4001,
  tooSlow: 4008,
  tooManyFrames: 4029,
  replacedByLogin: 4501,
  loggedOut: 4502,
  accountDisabled: 4503,
  protocolError: 4504,
  unsupportedVersion: 4505,
  sameDeviceElsewhere: 4506,
  /** RFC 6455: the frame was too large. */
  frameTooLarge: 1009,
  /** RFC 6455: the server failed while it handled a frame. */
  internalError: 1011,
  /** RFC 6455: the server is restarting. */
  restart: 1012,
} as const;

/** Whether a client should reconnect after a socket was closed with this code. */
export function shouldReconnect(code: number): boolean {
  return code < 4500 || code > 4999;
}
