import { PeerWatch, type PeerSight } from './peer-watch';

const LEASE_MS = 2_000;
const lease = { bootId: 'b', clientId: '7' };
const alive: PeerSight = { nodeId: 'session-2', bootId: 'b', lease, linked: true };
const cut: PeerSight = { ...alive, linked: false };
const silent: PeerSight = { ...alive, lease: null };
const gone = (sign: string) => [{ nodeId: 'session-2', bootId: 'b', sign }];

/** A watch whose own node is well since `sinceMs`, renewing twice a second. */
function watching(untilMs: number): PeerWatch {
  const watch = new PeerWatch({ leaseMs: LEASE_MS });
  for (let now = 0; now <= untilMs; now += 500) watch.alive(now);
  return watch;
}

describe('a watch over peers', () => {
  it('takes a lost connection for a death at the second look, and a living one for nothing', () => {
    const watch = watching(500);
    expect(watch.look([alive], 500)).toEqual([]);
    expect(watch.look([cut], 600)).toEqual([]);
    expect(watch.look([cut], 700)).toEqual(gone('connection'));
  });

  it('begins anew when the node has another connection in between', () => {
    const watch = watching(500);
    watch.look([cut], 600);
    const other = { ...cut, lease: { ...lease, clientId: '8' } };
    expect(watch.look([other], 700)).toEqual([]);
    expect(watch.look([alive], 800)).toEqual([]);
    expect(watch.look([cut], 900)).toEqual([]);
  });

  it('takes a lapsed lease for a death, but not before its own was kept for as long', () => {
    const watch = watching(LEASE_MS);
    expect(watch.look([silent], 1_900)).toEqual([]);
    expect(watch.look([silent], 2_000)).toEqual([]);
    watch.alive(2_500);
    expect(watch.look([silent], 2_600)).toEqual([]);
    expect(watch.look([silent], 2_700)).toEqual(gone('lease'));
  });

  it('leaves a node alone whose next process is there', () => {
    const watch = watching(LEASE_MS);
    const successor = { ...cut, lease: { bootId: 'c', clientId: '9' } };
    expect([2_100, 2_200, 2_300].flatMap((now) => watch.look([successor], now))).toEqual([]);
  });

  it('judges nobody when its own lease has lapsed, and for a while after trouble of its own', () => {
    const watch = watching(500);
    expect([2_600, 2_700].flatMap((now) => watch.look([cut], now))).toEqual([]);
    watch.alive(2_800);
    expect([2_900, 3_000, 4_700].flatMap((now) => watch.look([cut], now))).toEqual([]);
    for (let now = 3_000; now <= 5_000; now += 500) watch.alive(now);
    expect([4_900, 5_000].flatMap((now) => watch.look([cut], now))).toEqual(gone('connection'));
    watch.disturbed(5_100);
    expect([5_200, 5_300].flatMap((now) => watch.look([cut], now))).toEqual([]);
  });
});
