import type { Frame, TestSocket } from './test-socket';

const ANSWERS = ['sent', 'held', 'error'];

/** Sends a message and gives the first answer to it that comes: `sent`, `held` or `error`. */
export function answerTo(
  socket: TestSocket,
  frame: { messageId: string } & Record<string, unknown>,
): Promise<Frame> {
  const before = socket.frames.length;
  socket.send(frame);
  return socket.find(
    (f) =>
      ANSWERS.includes(f.type) &&
      f['messageId'] === frame.messageId &&
      socket.frames.indexOf(f) >= before,
  );
}

/** The push of a message. */
export function pushOf(socket: TestSocket, messageId: string): Promise<Frame> {
  return socket.find((f) => f.type === 'message' && f['messageId'] === messageId);
}
