import { createHash } from 'node:crypto';
import type { Hash } from '../sha256';

/** SHA-256 of Node. */
export const nodeSha256: Hash = (bytes) => createHash('sha256').update(bytes).digest();
