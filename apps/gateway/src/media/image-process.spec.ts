import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from '@tidings/protocol/errors';
import { eventually } from '../../../../test/support/eventually';
import { ImageProcess } from './image-process';

/** The other side, as far as these specs need it: what it does is the name of the file. */
const PROGRAM = `
  process.on('disconnect', () => process.exit(0));
  process.on('message', ({ id, source }) => {
    if (source === 'pid') process.send({ id, ok: process.pid });
    if (source === 'secrets') process.send({ id, ok: Object.keys(process.env).includes('A_SECRET') ? 1 : 0 });
    if (source === 'argument') process.send({ id, ok: process.argv[2].length });
    if (source === 'refused')
      process.send({ id, error: { code: 'payload_too_large', detail: 'so large', status: 413 } });
    if (source === 'crash') process.exit(139);
    if (source.startsWith('says ')) process.send(JSON.parse(source.slice(5).replace('"ID"', id)));
  });
`;

describe('ImageProcess', () => {
  let dir: string;
  let images: ImageProcess;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'tidings-images-'));
    const program = join(dir, 'program.js');
    writeFileSync(program, PROGRAM);
    images = new ImageProcess(program);
  });
  afterEach(() => {
    images.stop();
    rmSync(dir, { recursive: true });
  });

  const codeOf = (work: Promise<unknown>): Promise<[ErrorCode, number] | null> =>
    work.then(
      () => null,
      ({ code, status }: { code: ErrorCode; status: number }) => [code, status],
    );
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  it('works in one process of less priority, which ends with this one', async () => {
    const pid = await images.measure('pid');
    expect(pid).not.toBe(process.pid);
    expect(await images.measure('pid')).toBe(pid);
    expect(getPriority(pid)).toBeGreaterThan(getPriority(process.pid));
    expect(await images.measure('argument')).toBe('images'.length);
    images.stop();
    await eventually(() => expect(isAlive(pid)).toBe(false));
    expect(await codeOf(images.measure('pid'))).toEqual(['unavailable', 503]);
  });

  it('tells it nothing of what this process knows', async () => {
    process.env['A_SECRET'] = 'x';
    expect(await images.measure('secrets')).toBe(0);
    delete process.env['A_SECRET'];
  });

  it('passes refusals on', async () => {
    expect(await codeOf(images.measure('refused'))).toEqual(['payload_too_large', 413]);
  });

  it('takes a picture that brings the process down for one that cannot be decoded', async () => {
    const pid = await images.measure('pid');
    expect(await codeOf(images.measure('crash'))).toEqual(['unsupported_media', 422]);
    expect(await images.measure('pid')).not.toBe(pid);
  });

  it.each([
    'null',
    '7',
    '"x"',
    '[]',
    '{"id":"ID"}',
    '{"id":"ID","ok":null}',
    '{"id":"ID","ok":"x"}',
    '{"id":"ID","ok":{"width":1,"height":1}}',
    '{"id":"ID","error":null}',
    '{"id":"ID","error":"busy"}',
    '{"id":"ID","error":{}}',
  ])('ends a process that answers %s: a picture may have taken it over', async (answer) => {
    const pid = await images.measure('pid');
    expect(await codeOf(images.measure(`says ${answer}`))).toEqual(['unsupported_media', 422]);
    await eventually(() => expect(isAlive(pid)).toBe(false));
    expect(await images.measure('pid')).not.toBe(pid);
  });

  it('ends a process that hangs', async () => {
    const pid = await images.measure('pid');
    jest.useFakeTimers();
    const hung = codeOf(images.measure('hang'));
    jest.advanceTimersByTime(44_000);
    expect(isAlive(pid)).toBe(true);
    jest.advanceTimersByTime(2_000);
    jest.useRealTimers();
    expect(await hung).toEqual(['unsupported_media', 422]);
    await eventually(() => expect(isAlive(pid)).toBe(false));
    expect(await images.measure('pid')).not.toBe(pid);
  });

  it('answers when the program cannot be started', async () => {
    const none = new ImageProcess(join(dir, 'none.js'));
    expect(await codeOf(none.measure('pid'))).toEqual(['busy', 503]);
    none.stop();
  });
});
