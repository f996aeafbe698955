/** A straight line through values, and how sure its slope is. */
export interface Slope {
  mean: number;
  /** what the line rises from the first to the last value */
  growth: number;
  /** standard error of `growth`, from how far the values lie off the line */
  error: number;
}

/** Fewer values than this tell no slope. */
export const LEAST_VALUES = 5;

/**
 * Least squares through (time, value) pairs whose times rise.
 * @returns null when there are fewer than {@link LEAST_VALUES}
 */
export function slopeOf(points: readonly (readonly [number, number])[]): Slope | null {
  const n = points.length;
  if (n < LEAST_VALUES) return null;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const mean = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const spreadX = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (spreadX === 0) return null;
  const perX = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - mean), 0) / spreadX;
  const residues = points.reduce((sum, [x, y]) => sum + (y - mean - perX * (x - meanX)) ** 2, 0);
  const span = points[n - 1]![0] - points[0]![0];
  const error = span * Math.sqrt(residues / (n - 2) / spreadX);
  return { mean, growth: perX * span, error };
}

/** So many standard errors make a slope more than chance: with ten values, one line in 700. */
const SURE = 3;

/** Whether something grows: surely, and by more than this share of its mean and than this much in all. */
export function grows(
  { mean, growth, error }: Slope,
  { share, least }: { share: number; least: number },
): boolean {
  return growth > SURE * error && growth > share * Math.abs(mean) && growth > least;
}
