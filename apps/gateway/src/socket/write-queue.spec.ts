import { CLOSE_CODES } from '@tidings/protocol/close-codes';
import { TidingsError } from '@tidings/protocol/errors';
import { fakeConnection } from '../testing/fake-connection';
import { textFrame } from './text-frame';
import { MAX_BUFFERED_BYTES, WriteQueue } from './write-queue';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('WriteQueue', () => {
  it('holds the frames of one turn together and lets them go at its end', async () => {
    const { connection, raw, frames } = fakeConnection();
    const writes = new WriteQueue({ overflow: jest.fn() });
    writes.send(connection, 'a');
    writes.send(connection, 'b');
    expect(raw.corks).toEqual(['cork']);
    await turn();
    expect(raw.corks).toEqual(['cork', 'uncork']);
    expect(frames).toEqual(['a', 'b']);
  });

  it('answers a frame with an error, and tells of it', () => {
    const { connection, frames } = fakeConnection();
    const refused = jest.fn();
    const writes = new WriteQueue({ overflow: jest.fn(), refused });
    const error = new TidingsError('unavailable');
    writes.refuse(connection, 'send', error, { ref: 'r' });
    expect(JSON.parse(frames[0]!)).toMatchObject({ type: 'error', ref: 'r', code: 'unavailable' });
    expect(refused).toHaveBeenCalledWith('send', error);
  });

  it('keeps pushes back until welcome, which is the first frame', () => {
    const { connection, frames } = fakeConnection();
    const writes = new WriteQueue({ overflow: jest.fn() });
    writes.push(connection, textFrame('pushed'));
    writes.welcome(connection, 'welcome');
    writes.push(connection, textFrame('later'));
    expect(frames).toEqual(['welcome', 'pushed', 'later']);
  });

  it('names a socket that does not take what it is sent', () => {
    const { connection, raw } = fakeConnection();
    const overflow = jest.fn();
    const writes = new WriteQueue({ overflow });
    raw.writableLength = MAX_BUFFERED_BYTES;
    writes.send(connection, 'fits');
    expect(overflow).not.toHaveBeenCalled();
    raw.writableLength = MAX_BUFFERED_BYTES + 1;
    writes.send(connection, 'too much');
    expect(overflow).toHaveBeenCalledWith(connection, CLOSE_CODES.tooSlow);
  });

  it('bounds what may wait for welcome', () => {
    const { connection } = fakeConnection();
    const overflow = jest.fn();
    const writes = new WriteQueue({ overflow });
    for (let i = 0; i <= 1_000; i++) writes.push(connection, textFrame('x'));
    expect(overflow).toHaveBeenCalledTimes(1);
  });

  it('bounds the bytes of what may wait for welcome', () => {
    const { connection } = fakeConnection();
    const overflow = jest.fn();
    const writes = new WriteQueue({ overflow });
    const large = textFrame('x'.repeat(MAX_BUFFERED_BYTES / 8));
    for (let i = 0; i < 7; i++) writes.push(connection, large);
    expect(overflow).not.toHaveBeenCalled();
    writes.push(connection, large);
    expect(overflow).toHaveBeenCalledTimes(1);
  });

  it('writes nothing to an ended connection', () => {
    const { connection, frames } = fakeConnection();
    const writes = new WriteQueue({ overflow: jest.fn() });
    connection.ended = true;
    writes.send(connection, 'a');
    expect(frames).toEqual([]);
  });

  it('waits for room, and not for a socket that is gone', async () => {
    const { connection, raw } = fakeConnection();
    const writes = new WriteQueue({ overflow: jest.fn() });
    raw.writableLength = 300 * 1024;
    let roomy = false;
    const waiting = writes.room(connection).then(() => (roomy = true));
    await turn();
    expect(roomy).toBe(false);
    raw.writableLength = 0;
    raw.emit('drain');
    await waiting;
    raw.writableLength = 300 * 1024;
    const gone = writes.room(connection);
    connection.ended = true;
    raw.emit('close');
    await gone;
    expect(raw.listenerCount('drain') + raw.listenerCount('close')).toBe(0);
  });

  it('closes a socket that has no room for too long, and lets go whoever waits for it', async () => {
    const { connection, raw } = fakeConnection();
    const overflow = jest.fn(() => {
      connection.ended = true;
      raw.emit('close');
    });
    const writes = new WriteQueue({ overflow }, 30);
    raw.writableLength = 300 * 1024;
    await writes.room(connection);
    expect(overflow).toHaveBeenCalledWith(connection, CLOSE_CODES.tooSlow);
    expect(raw.listenerCount('drain') + raw.listenerCount('close')).toBe(0);
  });
});
