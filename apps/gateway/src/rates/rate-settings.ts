import { RATES, type Rate, type RateName, type Rates } from '@tidings/protocol/limits';

const OFF = 'off';
const CHANGE = /^([A-Za-z]+)=(\d{1,9})\/(\d{1,9})$/;

/** Those of addresses have settings of their own. */
const SETTABLE = (Object.keys(RATES) as RateName[]).filter((name) => RATES[name].per !== 'address');

/**
 * The rates that a setting asks for: `off`, or changes of the table as `name=perMinute/burst`, comma
 * separated; 0 per minute switches one off. Null: it cannot be read.
 */
export function readRates(setting: string): Rates | null {
  const rates: Record<string, Rate> = { ...RATES };
  if (setting === OFF) {
    for (const name of SETTABLE) rates[name] = changed(RATES[name], 0, 0);
    return rates as Rates;
  }
  for (const change of setting.split(',').filter((part) => part.trim() !== '')) {
    const [, name, perMinute, burst] = CHANGE.exec(change.trim()) ?? [];
    const known = SETTABLE.find((one) => one === name);
    if (known === undefined) return null;
    rates[known] = changed(RATES[known], Number(perMinute), Number(burst));
    if (Number(perMinute) > 0 && Number(burst) < 1) return null;
  }
  return rates as Rates;
}

/** What a gateway gives by itself stays the same part of the whole; of little it is nothing. */
function changed({ per, own, ...rate }: Rate, perMinute: number, burst: number): Rate {
  const part = {
    perMinute: Math.floor((perMinute * (own?.perMinute ?? 0)) / rate.perMinute),
    burst: Math.floor((burst * (own?.burst ?? 0)) / rate.burst),
  };
  if (part.perMinute < 1 || part.burst < 1) return { per, perMinute, burst };
  return { per, perMinute, burst, own: part };
}
