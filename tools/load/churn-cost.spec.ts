import { churnCost } from './churn-cost';
import type { Phase } from './generator/protocol';
import type { Reading } from './usage';

const reading = (phase: Phase, atMs: number, gateway: number, generator: number): Reading => ({
  phase,
  usage: { atMs, cpuUs: { gateway, generator }, machineUs: 0, memoryBytes: {} },
});

describe('churnCost', () => {
  it('is what turns with changes use more than as much time without, and nothing between the turns', () => {
    const readings = [
      reading('run', 0, 0, 0),
      reading('calm', 1_000, 5_000, 10),
      reading('turned', 3_000, 205_000, 100_010),
      reading('churn', 4_000, 999_000, 200_000),
      reading('turned', 5_000, 1_299_000, 300_000),
      reading('churn', 6_000, 1_999_000, 300_000),
      reading('turned', 7_000, 2_299_000, 400_000),
      reading('end', 8_000, 9_999_000, 9_999_000),
    ];
    // calm: 0.1 cores; churn: 0.3, for two seconds
    const { cpuUsPerChange, serverCores, generatorShare } = churnCost(readings, 200);
    expect(cpuUsPerChange.gateway).toBeCloseTo(2_000);
    expect(cpuUsPerChange.generator).toBeCloseTo(500);
    expect(serverCores.calm).toBeCloseTo(0.1);
    expect(serverCores.churn).toBeCloseTo(0.3);
    expect(generatorShare).toBeCloseTo(0.1);
  });

  it('is not known of a process that has ended', () => {
    const readings = [
      reading('calm', 0, 0, 0),
      reading('turned', 1_000, 10, 10),
      reading('churn', 2_000, 50, 50),
      reading('turned', 3_000, 20, 60),
    ];
    expect(churnCost(readings, 1).cpuUsPerChange).toEqual({ gateway: NaN, generator: 0 });
  });
});
