import { EventEmitter } from 'node:events';
import { pino } from 'pino';
import { Readiness } from './health';
import { runService } from './run';

const SIGNS = [
  'SIGTERM',
  'SIGINT',
  'disconnect',
  'unhandledRejection',
  'uncaughtException',
] as const;

/** A service whose one step can be made to hang, in a process that does not really end. */
async function setUp({ hangs = false } = {}) {
  const lines: { level: number; msg: string; err?: { message: string; stack: string } }[] = [];
  const logger = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const exit = jest.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
  const stop = jest.fn(() => (hangs ? new Promise<void>(() => undefined) : undefined));
  const { started } = runService({
    logger: logger as never,
    readiness: new Readiness(),
    steps: [{ name: 'one', stop, stopWithinMs: 60_000 }],
  });
  await started;
  const emit = (sign: string, error: unknown) => (process as EventEmitter).emit(sign, error);
  const fatal = () => lines.filter(({ level }) => level === pino.levels.values['fatal']);
  return { exit, stop, emit, fatal };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  for (const sign of SIGNS) process.removeAllListeners(sign);
});

describe('a throw that nothing contains', () => {
  it.each(['uncaughtException', 'unhandledRejection'])(
    '(%s) is logged once with its cause, and the process stops and exits with 1',
    async (sign) => {
      const { exit, stop, emit, fatal } = await setUp();
      emit(sign, new Error('a defect'));
      await jest.advanceTimersByTimeAsync(0);
      expect(fatal()).toHaveLength(1);
      expect(fatal()[0]!.err).toMatchObject({ message: 'a defect' });
      expect(fatal()[0]!.err!.stack).toContain('run.spec.ts');
      expect(stop).toHaveBeenCalledTimes(1);
      expect(exit.mock.calls).toEqual([[1]]);
    },
  );

  it('ends a process whose stop hangs, too: after 20 s, with 1', async () => {
    const { exit, emit } = await setUp({ hangs: true });
    emit('uncaughtException', new Error('a defect'));
    await jest.advanceTimersByTimeAsync(19_999);
    expect(exit).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(exit.mock.calls).toEqual([[1]]);
  });
});
