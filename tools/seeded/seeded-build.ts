import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Plugin } from 'esbuild';
import ts from 'typescript';
import { StackError, projectRoot } from '../stack/paths';
import { SERVICES, type ServiceName } from '../stack/service-plan';
import { seeded, type SeededBug } from './seeded-bug';

/** What `tools/stack/bundle.mjs` exports. */
interface Bundler {
  bundleServices(options: {
    out: string;
    services: readonly ServiceName[];
    plugins: readonly Plugin[];
  }): Promise<void>;
}

/** A build with a bug. */
export interface SeededBuild {
  /** as `dist`, with the services alone */
  dist: string;
  /** Bug or no bug: tables and topics are made by this build, not by the product's. */
  prepares: boolean;
}

/** The services that contain a source. */
function servicesWith(file: string): readonly ServiceName[] {
  const own = SERVICES.filter((service) => file.startsWith(`apps/${service}/`));
  return own.length > 0 ? own : SERVICES;
}

/** TypeScript as `npm run build` compiles it, one file alone. */
function compiled(file: string, source: string): string {
  const config = ts.readConfigFile(join(projectRoot(), 'tsconfig.json'), (path) =>
    readFileSync(path, 'utf8'),
  );
  const { options } = ts.convertCompilerOptionsFromJson(
    (config.config as { compilerOptions: unknown }).compilerOptions,
    projectRoot(),
  );
  const result = ts.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: { ...options, module: ts.ModuleKind.CommonJS, sourceMap: false },
  });
  const wrong = result.diagnostics?.filter((d) => d.file !== undefined) ?? [];
  if (wrong.length > 0) {
    const text = ts.flattenDiagnosticMessageText(wrong[0]!.messageText, '\n');
    throw new StackError(`${file} with its seeded bug is no TypeScript: ${text}`);
  }
  return result.outputText;
}

/** Puts the source with the bug in the place of the one that was compiled. */
function seedingPlugin(bug: SeededBug, loaded: () => void): Plugin {
  const dist = join(projectRoot(), 'dist');
  const target = join(dist, bug.file.replace(/\.ts$/, '.js'));
  return {
    name: 'seeded-bug',
    setup({ onLoad, onResolve }) {
      // in what `npm run build` has written these are paths already
      onResolve({ filter: /^@tidings\/common\// }, ({ path }) => ({
        path: join(dist, 'libs/common/src', `${path.slice('@tidings/common/'.length)}.js`),
      }));
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        if (path !== target) return undefined;
        loaded();
        const source = readFileSync(join(projectRoot(), bug.file), 'utf8');
        return { contents: compiled(bug.file, seeded(bug, source)), loader: 'js' };
      });
    },
  };
}

/** Builds the services with a bug into a folder of their own. Needs the product's build. */
export async function buildSeeded(bug: SeededBug): Promise<SeededBuild> {
  const root = projectRoot();
  const dist = join(root, '.data', 'seeded', bug.name);
  const out = join(dist, 'services');
  rmSync(dist, { recursive: true, force: true });
  cpSync(join(root, 'dist', 'services'), out, { recursive: true });
  const file = pathToFileURL(join(root, 'tools', 'stack', 'bundle.mjs')).href;
  const { bundleServices } = (await import(file)) as Bundler;
  let loads = 0;
  const services = servicesWith(bug.file);
  await bundleServices({ out, services, plugins: [seedingPlugin(bug, () => (loads += 1))] });
  if (loads === 0) throw new StackError(`${bug.file} of the bug ${bug.name} is in no service.`);
  return { dist, prepares: /\/migrations\/|\/apply-log-batches\.sql/.test(bug.file) };
}
