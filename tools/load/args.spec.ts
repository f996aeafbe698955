import { StackError } from '../stack/paths';
import { parseLoadArgs } from './args';

function parse(...argv: string[]): ReturnType<typeof parseLoadArgs> {
  return parseLoadArgs(argv, () => 42);
}

describe('parseLoadArgs', () => {
  it('has defaults', () => {
    expect(parse()).toEqual({
      workload: {
        name: 'pairs',
        groupSize: 2,
        online: 2,
        conversations: 50,
        history: 12,
        churn: null,
      },
      rate: 1000,
      seconds: 30,
      warmupSeconds: 30,
      users: 500,
      runs: 1,
      textBytes: 128,
      seed: 42,
      label: '',
      subjects: ['product'],
      gateways: null,
      ownStack: false,
      servers: null,
      scale: null,
      idle: null,
      jsonFile: null,
      htmlFile: null,
      generators: 1,
      pin: null,
      drainSeconds: 60,
      sampleSeconds: null,
    });
  });

  it('reads everything', () => {
    const argv =
      '--rate 8000 --seconds 60 --warmup 5 --users 20 --runs 3 --text 1024 --seed 7 --pin 1 --drain 9';
    const more = ['--label', 'a b', '--json', 'out.json', '--own-stack', '--compare'];
    const gateways = ['--gateways', 'http://127.0.0.1:8080, http://127.0.0.1:8081/'];
    expect(parse(...argv.split(' '), ...more, ...gateways)).toMatchObject({
      rate: 8000,
      seconds: 60,
      warmupSeconds: 5,
      users: 20,
      runs: 3,
      textBytes: 1024,
      seed: 7,
      label: 'a b',
      subjects: ['baseline', 'product'],
      gateways: ['http://127.0.0.1:8080', 'http://127.0.0.1:8081'],
      ownStack: true,
      idle: null,
      jsonFile: 'out.json',
      pin: 1,
      drainSeconds: 9,
    });
  });

  it('reads the other workloads', () => {
    expect(parse('--baseline')?.subjects).toEqual(['baseline']);
    expect(parse('--idle', '2000,12000')?.idle).toEqual([2000, 12_000]);
    expect(parse('--help')).toBeNull();
  });

  it.each([
    ['--workload groups', { rate: 1000, users: 500, workload: { groupSize: 10, online: 10 } }],
    ['--generators 4', { generators: 4 }],
    ['--own-stack --scale 1,2,4 --html a.html', { scale: [1, 2, 4], htmlFile: 'a.html' }],
    ['--own-stack --scale 3', { scale: [3] }],
    ['--samples 6', { sampleSeconds: 6 }],
    [
      '--server http://a:1/x --server http://b:2,http://c --users 4',
      { servers: ['http://a:1', 'http://b:2', 'http://c'] },
    ],
    ['--idle 20,60 --generators 3', { generators: 3 }],
    ['--workload groups --deliveries 30000', { rate: 3000 }],
    [
      '--workload groups --group-size 1000 --online 500 --rate 20',
      { rate: 20, users: 500, workload: { groupSize: 1000, online: 500 } },
    ],
    ['--workload receipts', { rate: 2000, workload: { name: 'receipts', groupSize: 2 } }],
    ['--workload connects', { rate: 50, users: 200, workload: { conversations: 50 } }],
    ['--workload sync-http --users 8 --conversations 4 --history 3', { rate: 20, users: 8 }],
    [
      '--workload presence',
      {
        rate: 200,
        users: 2000,
        workload: { groupSize: 2, churn: { watched: 20, changes: 200, reconnects: 10 } },
      },
    ],
    [
      '--workload presence --users 20 --watched 5 --changes 2 --reconnects 0',
      { workload: { churn: { watched: 5, changes: 2, reconnects: 0 } } },
    ],
  ])('reads %s', (argv, expected) => {
    expect(parse(...argv.split(' '))).toMatchObject(expected);
  });

  it.each([
    [['--workload', 'storm'], /--workload/],
    [['--workload', 'groups', '--baseline'], /--baseline/],
    [['--workload', 'connects', '--idle', '5,10'], /--idle/],
    [['--group-size', '5'], /--group-size goes with/],
    [['--workload', 'groups', '--group-size', '1001'], /--group-size/],
    [['--workload', 'receipts', '--group-size', '33'], /--group-size/],
    [['--workload', 'groups', '--group-size', '5', '--online', '6'], /--online/],
    [['--workload', 'groups', '--group-size', '7'], /multiple of the 7/],
    [['--workload', 'groups', '--deliveries', '100', '--rate', '5'], /one of them/],
    [['--workload', 'connects', '--users', '50'], /--conversations/],
    [['--workload', 'connects', '--users', '60', '--conversations', '3'], /--conversations/],
    [['--changes', '5'], /--changes goes with/],
    [['--workload', 'presence', '--watched', '501'], /--watched: a whole number/],
    [
      '--workload presence --users 20 --watched 20 --changes 1 --reconnects 0'.split(' '),
      /--watched: less than --users/,
    ],
    [['--workload', 'presence', '--users', '900'], /880 are needed beside 90/],
    [['--workload', 'presence', '--seconds', '220'], /together at most 240/],
    [['--generators', '0'], /--generators: a whole number/],
    [['--generators', '17'], /--generators: a whole number/],
    [['--generators', '2', '--pin', '1'], /--pin goes with one generator/],
    [['--generators', '3', '--users', '4'], /at most one for each of the 2 conversations/],
    [['--generators', '2', '--workload', 'presence'], /--generators: --workload presence has one/],
    [['--generators', '2', '--workload', 'connects'], /--generators: --workload connects has one/],
    [['--samples', '7'], /--samples: at least 5 of them/],
    [['--samples', '1', '--seconds', '300'], /--samples: at most 240/],
    [['--samples', '1', '--compare'], /--samples goes with messages/],
    [['--samples', '1', '--workload', 'connects'], /--samples goes with messages/],
    [['--server', 'a:1'], /--server: "a:1" is not an http address/],
    [['--server', 'https://a'], /--server: .* not an http address/],
    [['--server', 'http://a', '--own-stack'], /--server goes with neither/],
    [['--server', 'http://a', '--samples', '6'], /--server goes without --samples/],
    [['--server', 'http://a', '--idle', '5,9'], /--server goes with messages only/],
    [['--server', 'http://a', '--workload', 'presence'], /--server goes with messages only/],
    [['--server', 'http://a', '--seconds', '600'], /--server: all runs together at most 600 s/],
    [['--scale', '1,2'], /--scale goes with --own-stack/],
    [['--own-stack', '--scale', '1,1'], /--scale: different numbers from 1 to 16/],
    [['--own-stack', '--scale', '0,2'], /--scale: different numbers/],
    [['--own-stack', '--scale', '1,,2'], /--scale: different numbers/],
    [['--own-stack', '--scale', '17'], /--scale: different numbers/],
    [['--own-stack', '--scale', '1', '--compare'], /--scale goes with messages of the product/],
    [['--own-stack', '--scale', '1', '--idle', '5,9'], /--scale goes with messages/],
    [['--html', 'a', '--workload', 'connects'], /--html is for runs with messages/],
    [['--rate', '0'], /--rate/],
    [['--rate', '1.5'], /--rate/],
    [['--rate', ''], /--rate/],
    [['--users', '7'], /even/],
    [['--runs', '99'], /--runs/],
    [['--text', '7'], /--text/],
    [['--text', '16385'], /--text/],
    [['--rate', '100000', '--seconds', '3600'], /deliveries per run/],
    [['--idle', '10'], /--idle/],
    [['--idle', '10,5'], /--idle/],
    [['--idle', '5,10', '--baseline'], /--idle/],
    [['--baseline', '--compare'], /one of them/],
    [['--gateways', 'nonsense'], /--gateways/],
    [['--gateways', 'ws://127.0.0.1:1'], /--gateways/],
    [['--what'], /--what/],
    [['more'], /more/],
  ])('refuses %j', (argv, sentence) => {
    expect(() => parse(...argv)).toThrow(StackError);
    expect(() => parse(...argv)).toThrow(sentence);
  });
});
