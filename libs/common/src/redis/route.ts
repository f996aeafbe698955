/** Where a device is connected. Ids are letters, digits and `. _ -`. */
export interface Route {
  userId: string;
  deviceId: string;
  gatewayId: string;
  bootId: string;
  connectionId: string;
  /** Connection generation of the ticket, decimal µs: the fence between a device's connections. */
  generation: string;
}
