import { logLevel } from 'kafkajs';
import { calmLog, calmTrouble } from './calm-log';

function setUp() {
  let clock = 0;
  const lines: [string, string, unknown][] = [];
  const create = calmLog(
    (level, message, extra) => lines.push([level, message, extra.repeated]),
    () => clock,
  );
  const write = create(logLevel.INFO);
  const say = (level: logLevel, message: string) =>
    write({
      namespace: 'Connection',
      level,
      label: '',
      log: { message, timestamp: '', logger: 'kafkajs', stack: 'secret' },
    });
  return { lines, say, passes: (ms: number) => (clock += ms) };
}

it('takes the troubles of a starting cluster for information', () => {
  const { lines, say, passes } = setUp();
  say(logLevel.ERROR, 'The group coordinator is not available');
  say(logLevel.ERROR, 'Something else');
  passes(20_000);
  say(logLevel.ERROR, 'The group coordinator is not available');
  expect(lines.map(([level]) => level)).toEqual(['info', 'error', 'error']);
});

it('takes what kafkajs calls information for detail', () => {
  const { lines, say } = setUp();
  say(logLevel.INFO, 'Pausing fetching');
  say(logLevel.WARN, 'Response without match');
  expect(lines.map(([level]) => level)).toEqual(['debug', 'warn']);
});

it('passes a repeated message on once in a while, with the number left out', () => {
  const { lines, say, passes } = setUp();
  for (let n = 0; n < 50; n++) say(logLevel.ERROR, 'down');
  passes(10_000);
  say(logLevel.ERROR, 'down');
  expect(lines).toEqual([
    ['error', 'down', undefined],
    ['error', 'down', 49],
  ]);
});

it('passes the same trouble of a consumer on once in a while, whatever the partition', () => {
  let clock = 0;
  const lines: unknown[] = [];
  const logger = { warn: (about: object, message: string) => lines.push([message, about]) };
  const trouble = calmTrouble(logger, 'consumer trouble', () => clock);
  const down = new Error('down');
  for (let n = 0; n < 50; n++) trouble(down, `loading chat.messages.v1/${n}`);
  trouble(down, 'joining the group');
  trouble('odd', 'joining the group');
  clock += 10_000;
  trouble(down, 'loading chat.messages.v1/7');
  expect(lines).toEqual([
    ['consumer trouble', { err: down, what: 'loading chat.messages.v1/0' }],
    ['consumer trouble', { err: down, what: 'joining the group' }],
    ['consumer trouble', { err: 'odd', what: 'joining the group' }],
    ['consumer trouble', { err: down, what: 'loading chat.messages.v1/7', repeated: 49 }],
  ]);
});
