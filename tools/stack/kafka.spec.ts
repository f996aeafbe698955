import { groupLines, toolCall } from './kafka';

describe('npm run kafka', () => {
  const BROKERS = '127.0.0.1:9';

  it('shows a group as a line, with the sum of its lag', () => {
    const lines = groupLines([
      { group: 'a', state: 'Stable', members: 2, lag: 12_345n, topics: ['x', 'y'] },
      { group: 'longer', state: 'Empty', members: 0, lag: null, topics: [] },
    ]);
    expect(lines).toEqual([
      'GROUP   STATE   MEMBERS  LAG    TOPICS',
      'a       Stable  2        12345  x,y',
      'longer  Empty   0        -      -',
    ]);
  });

  it('describes all partitions of all groups when told so', () => {
    expect(toolCall(['groups', '--all'], BROKERS)).toEqual({
      main: 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
      args: ['--bootstrap-server', BROKERS, '--describe', '--all-groups'],
    });
  });

  it('describes topics', () => {
    expect(toolCall(['topics', '--topic', 'x'], BROKERS)?.args).toEqual([
      '--bootstrap-server',
      BROKERS,
      '--describe',
      '--topic',
      'x',
    ]);
  });

  it('reads records, from the beginning and up to a number when told so', () => {
    const args = toolCall(['tail', 'x', '--from-beginning', '--max', '3'], BROKERS)?.args;
    expect(args).toEqual(expect.arrayContaining(['--topic', 'x', '--from-beginning']));
    expect(args?.slice(args.indexOf('--max-messages'))).toEqual(
      expect.arrayContaining(['--max-messages', '3']),
    );
    expect(toolCall(['tail', 'x'], BROKERS)?.args).not.toContain('--from-beginning');
  });

  it('runs any class, on the running stack unless told otherwise', () => {
    expect(toolCall(['a.B', '--x'], BROKERS)).toEqual({
      main: 'a.B',
      args: ['--bootstrap-server', BROKERS, '--x'],
    });
    expect(toolCall(['a.B', '--bootstrap-server', 'y'], BROKERS)?.args).toEqual([
      '--bootstrap-server',
      'y',
    ]);
  });

  it.each([
    [['tail']],
    [['tail', 'x', 'y']],
    [['tail', 'x', '--bad']],
    [['nonsense']],
    [['groups', '--members']],
  ])('refuses %j with the usage', (args) => {
    expect(() => toolCall(args, BROKERS)).toThrow(/npm run kafka -- groups/);
  });

  it.each([[[]], [['help']], [['--help']]])('shows the usage for %j', (args) => {
    expect(toolCall(args, BROKERS)).toBeUndefined();
  });
});
