/** One device of the load, by index everywhere else. */
export interface DevicePlan {
  userId: string;
  deviceId: string;
  /** access token; empty at the baseline */
  token: string;
  /** which of the gateways it should be on */
  gateway: number;
}

/** How devices find their gateway. */
export type Entrance =
  | { kind: 'directory'; httpUrls: string[]; gatewayIds: string[] }
  | { kind: 'direct'; socketUrls: string[] };
