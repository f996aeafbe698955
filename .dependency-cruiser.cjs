/** Imports point one way; CONTRIBUTING.md says which. */
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: '\\.spec\\.ts$' },
  to: { pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('protocol-imports-only-zod', '^libs/protocol/', ['^libs/protocol/', 'node_modules/zod']),
    only('log-events-import-the-protocol', '^libs/common/src/log-events/', [
      '^libs/(protocol|common/src/log-events)/',
      'node_modules/zod',
    ]),
    only('domain-imports-only-the-languages', '^apps/[^/]+/src/domain/', [
      '^apps/[^/]+/src/domain/',
      '^libs/(protocol/|common/src/(log-events/|collections/|rpc/calls\\.ts))',
    ]),
    only('collections-import-nothing', '^libs/common/src/collections/', [
      '^libs/common/src/collections/',
      '^(node:)?crypto$',
    ]),
    {
      name: 'common-does-not-import-apps',
      severity: 'error',
      from: { path: '^libs/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|clients|tools|test)/' },
    },
    {
      name: 'apps-do-not-import-each-other',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'sdk-imports-only-the-protocol',
      severity: 'error',
      from: { path: '^clients/sdk/', pathNot: '\\.spec\\.ts$' },
      to: { path: '^(apps|clients/(?!sdk)|tools|test|libs/common)' },
    },
    {
      name: 'clients-import-only-the-sdk',
      severity: 'error',
      from: { path: '^clients/(?!sdk)' },
      to: { path: '^(apps|tools|test|libs/common)' },
    },
    {
      name: 'nothing-imports-tests-or-tools',
      severity: 'error',
      from: { pathNot: ['^(test|tools)/', '\\.spec\\.ts$'] },
      to: { path: '^(test|tools)/' },
    },
    {
      name: 'kafkajs-lives-in-one-folder',
      severity: 'error',
      from: {
        path: '^(apps|libs|clients|tools)/',
        pathNot: ['^libs/common/src/kafka/wire/', '^tools/load/baseline', '\\.spec\\.ts$'],
      },
      to: { path: 'node_modules/kafkajs' },
    },
    {
      name: 'tiny-client-imports-only-node',
      severity: 'error',
      from: { path: '^test/protocol/' },
      to: { pathNot: '^test/protocol/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'browser-code-stays-browser-safe',
      severity: 'error',
      from: {
        path: '^(libs/protocol|clients/sdk/src/(?!node))',
        pathNot: '\\.spec\\.ts$',
      },
      to: { dependencyTypes: ['core'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    exclude: { path: '^dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
