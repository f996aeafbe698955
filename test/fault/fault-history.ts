import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Message } from '@tidings/common/contracts/content';

/**
 * The history of one fault run as JSON lines, for later checkers: global index `i`, monotonic time
 * `t` in nanoseconds, device `d`, kind `k` (invoke, ok, info, obs), operation `f`, conversation `c`,
 * message id `mid`, position `seq`, value `v`. Written in blocks, never by the system under test.
 */
export class FaultHistory {
  private lines: string[] = [];
  private index = 0;

  constructor(readonly path: string) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  }

  invoked(device: string, conversationId: string, messageId: string): void {
    this.add({ d: device, k: 'invoke', f: 'send', c: conversationId, mid: messageId });
  }

  acknowledged(
    device: string,
    sent: { conversationId: string; messageId: string; position: string },
  ): void {
    const { conversationId, messageId, position } = sent;
    this.add({ d: device, k: 'ok', f: 'send', c: conversationId, mid: messageId, seq: position });
  }

  shown(device: string, message: Message): void {
    const { conversationId, messageId, position } = message;
    this.add({ d: device, k: 'obs', f: 'emit', c: conversationId, mid: messageId, seq: position });
  }

  page(conversationId: string, messages: readonly Message[]): void {
    const v = messages.map((m) => [m.messageId, m.position]);
    this.add({ k: 'obs', f: 'page', c: conversationId, v });
  }

  note(note: { device?: string; operation: string; value?: unknown }): void {
    this.add({ d: note.device, k: 'info', f: note.operation, v: note.value });
  }

  flush(): void {
    if (this.lines.length === 0) return;
    appendFileSync(this.path, this.lines.join(''));
    this.lines = [];
  }

  private add(event: Record<string, unknown>): void {
    const t = String(process.hrtime.bigint());
    this.lines.push(JSON.stringify({ i: this.index++, t, ...event }) + '\n');
    if (this.lines.length >= 1000) this.flush();
  }
}
