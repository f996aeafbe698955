import { toolCall } from './kafka';

describe('npm run kafka', () => {
  const BROKERS = '127.0.0.1:9';
  const SERVER = ['--bootstrap-server', BROKERS];

  it("describes all partitions of all groups and topics by Kafka's own tools when told so", () => {
    expect(toolCall(['groups', '--all'], BROKERS)).toEqual({
      main: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
      args: [...SERVER, '--describe', '--all-groups'],
    });
    expect(toolCall(['topics', '--all', '--topic', 'x'], BROKERS)).toEqual({
      main: 'org.apache.kafka.tools.TopicCommand',
      args: [...SERVER, '--describe', '--topic', 'x'],
    });
  });

  it('runs any class, on the running stack unless told otherwise', () => {
    expect(toolCall(['a.B', '--x'], BROKERS)).toEqual({ main: 'a.B', args: [...SERVER, '--x'] });
    expect(toolCall(['a.B', '--bootstrap-server', 'y'], BROKERS)?.args).toEqual([
      '--bootstrap-server',
      'y',
    ]);
  });

  it.each([['groups'], ['lag'], ['topics'], ['tail'], ['verify'], ['nonsense']])(
    'needs no Java for %s',
    (command) => {
      expect(toolCall([command], BROKERS)).toBeUndefined();
      expect(toolCall([command, 'x.y'], BROKERS)).toBeUndefined();
    },
  );
});
