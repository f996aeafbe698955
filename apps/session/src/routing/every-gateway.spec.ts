import { EveryGateway } from './every-gateway';

describe('EveryGateway', () => {
  it('has the gateways of the directory, draining ones too, and boots that are not listed yet, once each', async () => {
    const listed = [
      { id: 'g1', bootId: 'b1', state: 'ready' },
      { id: 'g2', bootId: 'b2', state: 'draining' },
    ];
    const named = [
      { gatewayId: 'g1', bootId: 'b1' },
      { gatewayId: 'g1', bootId: 'b3' },
    ];
    const every = new EveryGateway(
      { list: () => Promise.resolve(listed as never) },
      { all: () => Promise.resolve(named) },
    );
    expect((await every.list()).map(({ gatewayId, bootId }) => `${gatewayId} ${bootId}`)).toEqual([
      'g1 b1',
      'g2 b2',
      'g1 b3',
    ]);
  });
});
