const swc = {
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
  },
  module: { type: 'commonjs' },
  sourceMaps: 'inline',
};

/** For one test, milliseconds: generous, because a busy machine is no failure. */
const TEST_TIMEOUT_MS = 180_000;

const base = {
  testEnvironment: 'node',
  rootDir: __dirname,
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json'],
  transform: { '^.+\\.(t|j|mj)s$': ['@swc/jest', swc] },
  transformIgnorePatterns: [
    '/node_modules/(?!(@nestjs|file-type|strtok3|token-types|uint8array-extras|@borewit|@tokenizer|load-esm)/)',
  ],
  moduleNameMapper: {
    '^@tidings/(protocol|common)/(.*?)(\\.js)?$': '<rootDir>/libs/$1/src/$2',
    '^@tidings/sdk$': '<rootDir>/clients/sdk/src/index.ts',
    '^@tidings/sdk/node$': '<rootDir>/clients/sdk/src/node/index.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.data/'],
};

/** Three rooms: unit specs beside the code, integration and e2e against the real servers. */
module.exports = {
  testTimeout: TEST_TIMEOUT_MS,
  projects: [
    {
      ...base,
      displayName: 'unit',
      testMatch: [
        '<rootDir>/{apps,libs,clients,tools}/**/*.spec.ts',
        '<rootDir>/test/{docs,inputs}/**/*.spec.ts',
      ],
    },
    {
      ...base,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.spec.ts'],
    },
    { ...base, displayName: 'e2e', testMatch: ['<rootDir>/test/e2e/**/*.e2e-spec.ts'] },
    { ...base, displayName: 'fault', testMatch: ['<rootDir>/test/fault/**/*.fault-spec.ts'] },
    {
      ...base,
      displayName: 'compose',
      testMatch: ['<rootDir>/test/compose/**/*.compose-spec.ts'],
    },
  ],
};
