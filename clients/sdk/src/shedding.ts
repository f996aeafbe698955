import type { ShedFrame } from '@tidings/protocol/lanes';

/** What the gateway in use does less of, see ClientEvents.shed. */
export class Shedding {
  private shed: readonly string[] = [];
  /** A connection has begun, and nothing came behind its `welcome` yet. */
  private fresh = false;

  constructor(private readonly emit: (name: 'shed', event: { lanes: readonly string[] }) => void) {}

  /** What was told last. */
  get lanes(): readonly string[] {
    return this.shed;
  }

  /** Connected: what is shed there is the first thing that is said; else all is normal. */
  connected(): void {
    this.fresh = true;
  }

  /** A frame of another type came. */
  heardOther(): void {
    if (this.fresh) this.tell([]);
  }

  /** The gateway says what it sheds from now on. */
  take({ lanes }: ShedFrame): void {
    this.tell(lanes);
  }

  private tell(lanes: readonly string[]): void {
    this.fresh = false;
    if (lanes.join() === this.shed.join()) return;
    this.shed = [...lanes];
    this.emit('shed', { lanes: this.shed });
  }
}
