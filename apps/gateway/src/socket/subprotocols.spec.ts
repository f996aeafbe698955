import { readOffer } from './subprotocols';

const TICKET = 'dAbCdEfGhIjKlMnOpQrStUv';

describe('readOffer', () => {
  it.each([
    { header: `tidings.v1.json, ticket.${TICKET}`, version: true, ticket: TICKET },
    { header: `ticket.${TICKET},tidings.v1.json`, version: true, ticket: TICKET },
    { header: `ticket.${TICKET}`, version: false, ticket: TICKET },
    { header: `tidings.v2.json, ticket.${TICKET}`, version: false, ticket: TICKET },
    { header: 'tidings.v1.json', version: true, ticket: null },
    { header: 'tidings.v1.json, ticket.', version: true, ticket: null },
    { header: 'tidings.v1.json, ticket.short', version: true, ticket: null },
    { header: `tidings.v1.json, ticket.${TICKET}=`, version: true, ticket: null },
    { header: `tidings.v1.json, ticket.${'a'.repeat(257)}`, version: true, ticket: null },
    { header: `ticket.${TICKET}, ticket.${TICKET}`, version: false, ticket: null },
    { header: undefined, version: false, ticket: null },
  ])('$header', ({ header, version, ticket }) => {
    expect(readOffer(header)).toEqual({ version, ticket });
  });
});
