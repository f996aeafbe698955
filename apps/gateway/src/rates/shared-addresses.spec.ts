import { defaultGateways, SharedAddresses } from './shared-addresses';

const ROUTES = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010013AC	0003	0	0	0	00000000	0	0	0
eth0	000013AC	00000000	0001	0	0	0	0000FFFF	0	0	0
eth1	00000000	FE01A8C0	0002	0	0	0	00000000	0	0	0
`;

describe('addresses behind which many clients stand', () => {
  it('are those and the networks that are listed', () => {
    const shared = new SharedAddresses(['192.0.2.7', '10.1.0.0/16', '2001:db8::/32'], () => ROUTES);
    for (const address of ['192.0.2.7', '::ffff:192.0.2.7', '10.1.255.1', '2001:db8::1']) {
      expect(shared.has(address)).toBe(true);
    }
    for (const address of ['192.0.2.8', '10.2.0.1', '2001:db9::1', '172.19.0.1', '', 'x']) {
      expect(shared.has(address)).toBe(false);
    }
    expect(shared.has(undefined)).toBe(false);
  });

  it('are the gateway of the network where it is named', () => {
    const shared = new SharedAddresses(['default-gateway'], () => ROUTES);
    expect(shared.has('172.19.0.1')).toBe(true);
    expect(shared.has('172.19.0.2')).toBe(false);
    expect(new SharedAddresses(['default-gateway'], () => '').has('172.19.0.1')).toBe(false);
  });

  it('a gateway is one of a default route that is up', () => {
    expect(defaultGateways(ROUTES)).toEqual(['172.19.0.1']);
    expect(defaultGateways('')).toEqual([]);
  });
});
