import { kafkaProperties, newClusterId } from './kafka-server';

describe('Kafka server', () => {
  const options = { dir: '/d', libs: '/l', port: 1, controllerPort: 2 };

  it('listens on the loopback interface and creates no topic by itself', () => {
    const lines = kafkaProperties(options).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2',
        'advertised.listeners=PLAINTEXT://127.0.0.1:1',
        'auto.create.topics.enable=false',
        'unclean.leader.election.enable=false',
        'group.initial.rebalance.delay.ms=0',
      ]),
    );
  });

  it('can name a proxy to its clients and take other settings', () => {
    const text = kafkaProperties({
      ...options,
      advertisedPort: 7,
      properties: { 'num.io.threads': '9' },
    });
    expect(text).toContain('advertised.listeners=PLAINTEXT://127.0.0.1:7\n');
    expect(text.match(/num\.io\.threads=.*/g)).toEqual(['num.io.threads=9']);
  });

  it('has a cluster id that no command line takes for an option', () => {
    const values = [Buffer.alloc(16, 0xff - 4), Buffer.alloc(16, 1)];
    expect(newClusterId(() => values.shift() ?? Buffer.alloc(16))).toBe(
      Buffer.alloc(16, 1).toString('base64url'),
    );
  });
});
