import type {
  ChangeFrame,
  ClientFrame,
  FrameRefusal,
  MarkFrame,
  SendFrame,
} from '@tidings/protocol/frames';
import type { FirstAppend } from '@tidings/common/rpc/calls';
import type { ActivityFrame, StateFrame, WatchFrame } from '@tidings/protocol/presence';
import type { TypingFrame } from '@tidings/protocol/typing';

export type SyncFrame = Extract<ClientFrame, { type: 'sync' }>;

/** A send that waits for its turn, with a question to storage that is already under way. */
export interface PreparedSend {
  frame: SendFrame;
  first: Promise<FirstAppend | null> | null;
}

/** A parsed frame that waits for its turn. */
export type InboundFrame =
  | { type: 'send'; send: PreparedSend }
  | { type: 'change'; frame: ChangeFrame }
  | { type: 'mark'; frame: MarkFrame }
  | { type: 'typing'; frame: TypingFrame }
  | { type: 'activity'; frame: ActivityFrame | StateFrame }
  | { type: 'watch'; frame: WatchFrame }
  | { type: 'sync'; frame: SyncFrame }
  | { type: 'ping'; ref: string | undefined }
  | { type: 'refused'; refusal: FrameRefusal };
