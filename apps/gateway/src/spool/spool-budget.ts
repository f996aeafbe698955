/** How many bytes the spools of a gateway may have: in all, and one partition of it. */
export class SpoolBudget {
  private used = 0;

  constructor(
    private readonly limits: { inAll: number; perPartition: number; unwritten: number },
  ) {}

  /** Bytes in use over all partitions, written or not. */
  get bytes(): number {
    return this.used;
  }

  /**
   * Takes bytes for a partition that has `inPartition` and waits for the disk with `unwritten` of
   * them. `full`: there is no room. `slow`: the disk does not keep up.
   */
  take(bytes: number, partition: { bytes: number; unwritten: number }): 'taken' | 'full' | 'slow' {
    const { inAll, perPartition, unwritten } = this.limits;
    if (this.used + bytes > inAll || partition.bytes + bytes > perPartition) return 'full';
    if (partition.unwritten > 0 && partition.unwritten + bytes > unwritten) return 'slow';
    this.used += bytes;
    return 'taken';
  }

  /** Takes what lies on the disk from an earlier run, whatever the limits say. */
  found(bytes: number): void {
    this.used += bytes;
  }

  give(bytes: number): void {
    this.used -= bytes;
  }
}
