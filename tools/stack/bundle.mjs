// The last step of a build: each service becomes one file, so that a start reads and links one file and not 1 500.
// Input is what tsc wrote, because esbuild does not emit the types that Nest's decorators need.
import { decode, encode } from '@jridgewell/sourcemap-codec';
import { build } from 'esbuild';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Each folder of `apps` is one. */
const SERVICES = readdirSync('apps', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const OUT = join('dist', 'services');

/** Loaded from node_modules: binaries, and what has to find files beside itself. */
const NATIVE = ['sharp', '@node-rs/argon2'];

/** Loaded only by deployments that use it. */
const SELDOM = ['@aws-sdk/client-s3'];

/** What Nest can load and nothing here uses; not installed. */
const ABSENT = [
  '@nestjs/websockets',
  'class-transformer',
  'class-validator',
  'mqtt',
  'amqp-connection-manager',
  '@nats-io/transport-node',
];

/** Packages that are ES modules ask where they are. */
const WHERE = 'bundleUrl';
const banner = `const ${WHERE} = require('node:url').pathToFileURL(__filename).href;`;

/** @nestjs/typeorm loads TypeORM by a `require` of its own making, which would be a second copy. */
const oneTypeOrm = {
  name: 'one-typeorm',
  setup({ onLoad }) {
    onLoad({ filter: /@nestjs\/typeorm\/dist\/common\/typeorm-compat\.js$/ }, ({ path }) => {
      const own = 'const require = createRequire(import.meta.url);';
      const text = readFileSync(path, 'utf8');
      if (!text.includes(own)) throw new Error(`${path} has changed: look at how it loads TypeORM`);
      return { contents: text.replace(own, ''), loader: 'js' };
    });
  },
};

/**
 * The program that is run. Compiled code is kept beside it (Node 22.1 and newer), written when a start is over: a
 * process that is killed writes nothing at its end.
 */
const launcher = (service) => `'use strict';
const module_ = require('node:module');
module_.enableCompileCache?.(require('node:path').join(__dirname, '.cache'));
setTimeout(() => module_.flushCompileCache?.(), 10_000).unref();
process.setSourceMapsEnabled(true);
require('./bundles/${service}.js');
`;

/**
 * Leaves only our own files in a source map: Node reads all of it at each start, and nine tenths are packages. Their
 * frames in a stack trace show the bundle.
 */
function keepOwn(path) {
  const map = JSON.parse(readFileSync(path, 'utf8'));
  const own = map.sources.map((source) => !source.includes('node_modules/'));
  const lines = decode(map.mappings).map((segments) => {
    const kept = segments.map((segment) => (own[segment[1]] ? segment : [segment[0]]));
    return kept.filter((segment, i) => segment.length > 1 || kept[i - 1]?.length !== 1);
  });
  const sources = map.sources.map((source, i) => (own[i] ? source : ''));
  writeFileSync(path, JSON.stringify({ ...map, sources, mappings: encode(lines) }));
}

/**
 * Bundles services into a folder, each with its launcher. A test build hands in plugins of its own
 * (`tools/seeded`); the product is built without any.
 */
export async function bundleServices({ out = OUT, services = SERVICES, plugins = [] } = {}) {
  mkdirSync(out, { recursive: true });
  await Promise.all(
    services.map(async (service) => {
      const outfile = join(out, 'bundles', `${service}.js`);
      await build({
        entryPoints: [join('dist', 'apps', service, 'src', 'main.js')],
        outfile,
        bundle: true,
        platform: 'node',
        target: 'node20.19',
        format: 'cjs',
        mainFields: ['main', 'module'],
        keepNames: true,
        sourcemap: true,
        sourcesContent: false,
        legalComments: 'none',
        banner: { js: banner },
        define: { 'import.meta.url': WHERE },
        plugins: [oneTypeOrm, ...plugins],
        logLevel: 'warning',
        external: [...NATIVE, ...SELDOM, ...ABSENT],
      });
      keepOwn(`${outfile}.map`);
      writeFileSync(join(out, `${service}.js`), launcher(service));
    }),
  );
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) await bundleServices();
