import { FEATURES, type FrameRefusal, type SentFrame } from '@tidings/protocol/frames';
import { ERRORS, type TidingsError } from '@tidings/protocol/errors';
import type { GatewayAddress } from '@tidings/protocol/http';
import { announcedLimits, type Rates } from '@tidings/protocol/limits';
import { isoTime } from './iso-time';

/** What an `error` frame says beside the error itself. */
export interface ErrorEcho {
  ref?: string;
  messageId?: string;
  conversationId?: string;
}

/** An `error` frame. */
export function errorFrameText(error: TidingsError, echo: ErrorEcho): string {
  return JSON.stringify({
    type: 'error',
    ...echo,
    code: error.code,
    detail: error.message,
    retryable: error.retryable,
    retryAfterMs: error.retryAfterMs,
  });
}

/** The `error` frame for a frame that could not be taken. */
export function refusalFrameText(refusal: FrameRefusal): string {
  const { code, detail, ref, messageId, conversationId } = refusal;
  const { retryable } = ERRORS[code];
  return JSON.stringify({ type: 'error', ref, messageId, conversationId, code, detail, retryable });
}

/** A `sent` frame; ids and position need no escaping. */
export function sentFrameText(sent: Omit<SentFrame, 'type'>): string {
  const { messageId, conversationId, position, sentAt, expiresAt } = sent;
  const end = expiresAt === undefined ? '' : `,"expiresAt":"${expiresAt}"`;
  return `{"type":"sent","messageId":"${messageId}","conversationId":"${conversationId}","position":"${position}","sentAt":"${sentAt}"${end}}`;
}

/** A `held` frame: the message is on this gateway's disk. */
export function heldFrameText(messageId: string): string {
  return `{"type":"held","messageId":"${messageId}"}`;
}

/** How a `synced` frame begins; the JSON text of its other fields follows, without its first brace. */
export function syncedFrameBegin(ref: string): string {
  return `{"type":"synced","ref":${JSON.stringify(ref)},`;
}

/** A `pong` frame; `nowMs`: Unix milliseconds. */
export function pongFrameText(ref: string | undefined, nowMs: number): string {
  return JSON.stringify({ type: 'pong', ref, serverTime: isoTime(nowMs) });
}

/** A `resync` frame: send `sync` after a random delay within `withinMs`. */
export function resyncFrameText(reason: string, withinMs: number): string {
  return JSON.stringify({ type: 'resync', reason, withinMs });
}

/** A `goodbye` frame before a planned close. */
export function goodbyeFrameText(afterMs: number, gateways: readonly GatewayAddress[]): string {
  return JSON.stringify({
    type: 'goodbye',
    reason: 'draining',
    reconnect: true,
    afterMs,
    gateways,
  });
}

/** What differs between the `welcome` frames of a gateway. */
export interface Welcome {
  connectionId: string;
  userId: string;
  deviceId: string;
  gatewayId: string;
  nowMs: number;
  heartbeatSeconds: number;
  resumeTicket: string;
  /** Those in force. */
  rates: Rates;
}

/** A `welcome` frame. */
export function welcomeFrameText({ nowMs, rates, ...welcome }: Welcome): string {
  return JSON.stringify({
    type: 'welcome',
    ...welcome,
    serverTime: isoTime(nowMs),
    ...announcedLimits(rates),
    features: FEATURES,
  });
}
