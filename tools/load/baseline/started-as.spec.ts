import { ServiceNode } from '../../stack/service-node';
import type { ServiceName } from '../../stack/service-plan';
import { type BareKind, startedAs } from './started-as';

/** How the stack starts a service. */
function startOf(service: ServiceName): { flags: string[]; niceness: number | undefined } {
  const plan = { id: `${service}-1`, service, port: 1, url: 'http://127.0.0.1:1' };
  const node = new ServiceNode(plan, { distDir: '', dir: '', env: {}, archiveGivesWay: true });
  const { args, niceness } = node['plan'].spec();
  return { flags: args.slice(0, -1), niceness };
}

describe('a process of the bare pipeline', () => {
  it.each<[BareKind, ServiceName]>([
    ['gateway', 'gateway'],
    ['router', 'session'],
    ['inserter', 'storage'],
  ])('%s is started as %s is', (kind, service) => {
    const { execArgv, niceness } = startedAs(kind);
    const expected = startOf(service);
    expect(execArgv).toEqual(expect.arrayContaining(expected.flags));
    expect(expected.flags).toHaveLength(1);
    expect(niceness).toBe(expected.niceness);
  });
});
