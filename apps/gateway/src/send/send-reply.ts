import type { TidingsError } from '@tidings/common/contracts/errors';

/** Where the outcome of a send goes; `logged` and `held` may come first, exactly one of the others once. */
export interface SendReply {
  /** Appended as `again`: what comes now depends on storage alone. */
  logged(): void;
  /** On this gateway's disk. */
  held(): void;
  sent(position: string, sentAtMs: number): void;
  refused(error: TidingsError): void;
  /** Nobody can tell at the moment; the sender asks again. */
  unknown(): void;
}
