import { SUBPROTOCOL, TICKET_PROTOCOL_PREFIX } from '@tidings/protocol/frames';
import type { ConnectionsAnswer } from '@tidings/protocol/http';
import { callApi, patiently } from '../api';
import type { DevicePlan, Entrance } from './protocol';
import type { SocketTarget } from './raw-socket';

/** A way in: the address, and whether it is the gateway that was wanted. */
export interface Way extends SocketTarget {
  asWanted: boolean;
}

/**
 * Asks for a way in for one device: at the baseline its socket address; at the product a ticket of
 * the directory, which is told to avoid every gateway but the wanted one. Busy answers are waited
 * out, ten times.
 */
export async function wayIn(entrance: Entrance, device: DevicePlan, index: number): Promise<Way> {
  if (entrance.kind === 'direct') {
    const base = entrance.socketUrls[device.gateway % entrance.socketUrls.length]!;
    return { url: `${base}/?user=${device.userId}`, protocols: [SUBPROTOCOL], asWanted: true };
  }
  return patiently((attempt) => ticket(entrance, device, index + attempt));
}

async function ticket(
  entrance: Extract<Entrance, { kind: 'directory' }>,
  device: DevicePlan,
  turn: number,
): Promise<Way> {
  const { httpUrls, gatewayIds } = entrance;
  const wanted = gatewayIds[device.gateway % Math.max(1, gatewayIds.length)];
  const answer = (await callApi({
    base: httpUrls[turn % httpUrls.length]!,
    method: 'POST',
    path: '/v1/connections',
    token: device.token,
    body: { deviceId: device.deviceId, avoid: gatewayIds.filter((id) => id !== wanted) },
  })) as ConnectionsAnswer;
  const gateway = answer.gateways.find(({ id }) => id === wanted) ?? answer.gateways[0];
  if (!gateway) throw new Error('the directory named no gateway');
  return {
    url: gateway.url,
    protocols: [SUBPROTOCOL, TICKET_PROTOCOL_PREFIX + answer.ticket],
    asWanted: wanted === undefined || gateway.id === wanted,
  };
}
