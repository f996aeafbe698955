import { SUBPROTOCOL, TICKET_PROTOCOL_PREFIX } from '@tidings/protocol/frames';

/** What a client offers in `Sec-WebSocket-Protocol`. */
export interface Offer {
  /** It speaks this version of the protocol. */
  version: boolean;
  /** Its ticket; null when none, several, or an impossible one is there. */
  ticket: string | null;
}

const TICKET = /^[A-Za-z0-9_-]{16,256}$/;

/** Reads the header `Sec-WebSocket-Protocol` (RFC 6455 §11.3.4). */
export function readOffer(header: string | undefined): Offer {
  const protocols = (header ?? '').split(',').map((p) => p.trim());
  const tickets = protocols
    .filter((p) => p.startsWith(TICKET_PROTOCOL_PREFIX))
    .map((p) => p.slice(TICKET_PROTOCOL_PREFIX.length));
  const [ticket] = tickets;
  const usable = tickets.length === 1 && ticket !== undefined && TICKET.test(ticket);
  return { version: protocols.includes(SUBPROTOCOL), ticket: usable ? ticket : null };
}
