import tseslint from 'typescript-eslint';

/** Of a service: what reads the schemas, and what has to know before they are read. */
const READERS_OF_THE_ENVIRONMENT = [
  'libs/common/src/runtime/env.ts',
  'libs/common/src/runtime/failpoint.ts',
];

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.data/**', 'coverage/**'] },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts'],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      'no-eval': 'error',
      'no-implied-eval': 'error',
      // `...{ a, b },` is `a, b,` on fewer lines: a property of its own is found, renamed and compared by itself.
      'no-restricted-syntax': [
        'error',
        {
          selector: 'SpreadElement > ObjectExpression, SpreadElement > ArrayExpression',
          message: 'Write the properties or elements themselves.',
        },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // A service reads settings from its schema alone: what is not in one is not in docs/SETTINGS.md.
    files: ['apps/**/*.ts', 'libs/**/*.ts'],
    ignores: ['**/*.spec.ts', ...READERS_OF_THE_ENVIRONMENT],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Settings are read by loadEnv.' },
      ],
    },
  },
  {
    files: ['**/*.js', '**/*.cjs'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
);
