// Behind every npm script: checks the tools of this machine, installs and builds when needed, then runs the compiled
// program. Plain JavaScript without dependencies, because it runs before anything is installed.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
process.chdir(root);

const PROGRAMS = {
  start: { file: 'dist/tools/stack/start.js', java: true, own: true },
  test: { file: 'dist/tools/stack/test-run.js', java: true, own: true },
  compose: { file: 'dist/tools/stack/test-run.js', args: ['compose'], java: true, own: true },
  faults: { file: 'dist/tools/stack/test-run.js', args: ['faults'], java: true, own: true },
  nodes: { file: 'dist/tools/stack/test-nodes.js', java: true, own: true },
  seeded: { file: 'dist/tools/seeded/main.js', java: true, own: true },
  kafka: { file: 'dist/tools/stack/kafka.js', java: kafkaNeedsJava, own: true },
  dlq: { file: 'dist/tools/dlq/main.js' },
  admin: { file: 'dist/tools/admin/main.js' },
  rebuild: { file: 'dist/tools/admin/rebuild.js' },
  reset: { file: 'dist/tools/stack/reset.js', own: true },
  chat: { file: 'dist/clients/cli/src/main.js' },
  demo: { file: 'dist/tools/demo/main.js' },
  load: { file: 'dist/tools/load/main.js' },
  figures: { file: 'dist/tools/figures/main.js', java: true },
  docs: { file: 'dist/tools/settings/main.js' },
};

/** Kafka's own tools are Java; our views of it are not. */
function kafkaNeedsJava([command = '', first]) {
  return command.includes('.') || first === '--all';
}

const INSTALL_STAMP = 'node_modules/.tidings-lock-stamp';
const BUILD_STAMP = 'dist/.tidings-build-stamp';
const SOURCES = ['apps', 'libs', 'clients', 'tools'];
const SOURCE_FILES = ['nest-cli.json', 'package.json', 'package-lock.json'];

const running = new Set();
let stopped;

function fail(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function say(line) {
  process.stderr.write(`${line}\n`);
}

/** Says what holds until the function that it gives is called: a terminal does not show it any longer then. */
function sayForNow(line) {
  if (!process.stderr.isTTY || process.env.TERM === 'dumb') {
    say(line);
    return () => say('  done');
  }
  process.stderr.write(line);
  return () => process.stderr.write('\r\x1b[2K');
}

function atLeast(version, major, minor) {
  const [first, second] = version.split('.').map(Number);
  return first > major || (first === major && second >= minor);
}

/** The version must be one of those in `engines`, or of a major version that nobody has tested. */
function checkNode() {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
  const tested = engines.node
    .split('||')
    .map((range) => range.trim().slice(1).split('.').map(Number));
  const [major] = process.versions.node.split('.').map(Number);
  const own = tested.find(([first]) => first === major);
  const [first, second] = own ?? tested[0];
  if (!atLeast(process.versions.node, first, second)) {
    fail(
      `Tidings needs Node.js ${first}.${second} or newer, this is ${process.versions.node}: install a newer one.`,
    );
  }
  if (!own)
    say(`Tidings is tested with Node.js ${engines.node}, this is ${process.versions.node}.`);
}

function checkJava() {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
  const result = spawnSync(java, ['-version'], { encoding: 'utf8' });
  if (result.error || result.status !== 0) {
    fail(
      'Tidings needs Java 17 or newer for Kafka, and none was found: install one (for example the package openjdk-17-jre-headless) or set JAVA_HOME.',
    );
  }
  const version = /version "(\d+)(?:\.(\d+))?/.exec(result.stderr + result.stdout);
  if (version && !atLeast(`${version[1]}.0`, 17, 0)) {
    fail(
      `Tidings needs Java 17 or newer for Kafka, ${java} is version ${version[1]}: install a newer one or set JAVA_HOME.`,
    );
  }
}

function checkMaven() {
  const servers = resolve(process.env.TIDINGS_SERVERS_DIR || join('.data', 'servers'));
  const downloaded =
    existsSync(servers) && readdirSync(servers).some((name) => !name.startsWith('.'));
  if (downloaded) return;
  const result = spawnSync('mvn', ['--version'], { encoding: 'utf8' });
  if (result.error || result.status !== 0) {
    fail(
      'Tidings needs Maven 3.8 or newer to download Kafka, Redis and PostgreSQL, and mvn was not found: install it (package maven).',
    );
  }
}

function hashOf(parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

function read(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Whether npm's own record of what is installed names the same packages as the lock file. */
function installedMatches() {
  try {
    const wanted = JSON.parse(read('package-lock.json')).packages;
    const found = JSON.parse(read('node_modules/.package-lock.json')).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === '' || !path.startsWith('node_modules/') || entry.optional || entry.peer)
        return true;
      return found[path]?.version === entry.version && found[path]?.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

async function install() {
  const wanted = hashOf([read('package-lock.json')]);
  if (read(INSTALL_STAMP) === wanted) return;
  if (!installedMatches()) {
    await step('Installing packages (npm ci)', 'npm ci --no-audit --no-fund');
  }
  writeFileSync(INSTALL_STAMP, wanted);
}

function filesUnder(dir, found = []) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && entry.name !== 'node_modules' && entry.name !== 'dist')
      filesUnder(path, found);
    else if (entry.isFile() && !/\.spec\.ts$|launch\.mjs$|\.md$/.test(entry.name)) found.push(path);
  }
  return found;
}

function sourceHash() {
  const settings = readdirSync('.').filter((name) => /^tsconfig.*\.json$/.test(name));
  const files = [
    ...SOURCES.filter(existsSync).flatMap((dir) => filesUnder(dir)),
    ...settings,
    ...SOURCE_FILES,
  ];
  return hashOf(files.sort().flatMap((path) => [path, readFileSync(path)]));
}

async function build() {
  const wanted = sourceHash();
  if (read(BUILD_STAMP) === wanted) return;
  rmSync(BUILD_STAMP, { force: true });
  // from nothing: what was compiled from a file that is gone must not live on
  rmSync('dist', { recursive: true, force: true });
  await step('Building', 'npm run build');
  writeFileSync(BUILD_STAMP, wanted);
}

/** Runs a command; answers with its exit code and what it printed. */
function quietly(command) {
  const path = `${resolve('node_modules', '.bin')}:${process.env.PATH}`;
  const env = { ...process.env, PATH: path };
  const child = spawn(command, { stdio: ['ignore', 'pipe', 'pipe'], shell: true, env });
  running.add(child);
  const output = [];
  child.stdout.on('data', (chunk) => output.push(chunk));
  child.stderr.on('data', (chunk) => output.push(chunk));
  return new Promise((done) => {
    const end = (code) => {
      running.delete(child);
      done({ code, output: Buffer.concat(output) });
    };
    child.once('error', () => end(-1));
    child.once('close', end);
  });
}

/** Runs a command; its output is shown only when it fails. */
async function step(title, command) {
  const began = Date.now();
  const seconds = () => Math.round((Date.now() - began) / 1000);
  say(`${title} …`);
  const ticker = setInterval(() => say(`  ${title}: ${seconds()} s`), 20_000);
  const { code, output } = await quietly(command);
  clearInterval(ticker);
  if (stopped) process.exit(130);
  if (code !== 0) {
    process.stderr.write(output);
    fail(`${title} failed (${command}).`);
  }
  say(`  done in ${seconds()} s`);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** One install or build at a time; a second script waits for the first. */
async function alone(work) {
  const lock = join('.data', 'build.lock');
  mkdirSync('.data', { recursive: true });
  let waited;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = Number(read(lock));
    if (holder > 0 && !isAlive(holder)) rmSync(lock, { force: true });
    else waited ??= sayForNow('Another script installs or builds: waiting for it …');
    await new Promise((done) => setTimeout(done, 300));
    if (!stopped) continue;
    waited?.();
    process.exit(130);
  }
  waited?.();
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  await work();
  process.off('exit', release);
  release();
}

/** Hands signals on. A terminal sends Ctrl-C to all of its programs by itself. */
function forwardSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      stopped = true;
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      for (const child of running) child.kill(signal);
    });
  }
  if (!process.env.npm_lifecycle_event) return;
  // npm itself was killed: nobody else would tell the program
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stopped = true;
    for (const child of running) child.kill('SIGTERM');
  }, 200);
  watch.unref();
}

function runProgram(program, args) {
  const stdio = ['inherit', 'inherit', 'inherit', ...(program.own ? ['ipc'] : [])];
  const child = spawn(process.execPath, [program.file, ...(program.args ?? []), ...args], {
    stdio,
  });
  running.add(child);
  child.once('error', (error) => fail(`${program.file} could not be started: ${error.message}.`));
  child.once('exit', (code, signal) => {
    process.exit(code ?? 128 + ({ SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 }[signal] ?? 0));
  });
}

const [name, ...args] = process.argv.slice(2);
const program = Object.hasOwn(PROGRAMS, name ?? '') ? PROGRAMS[name] : undefined;
if (!program)
  fail(`Usage: node tools/stack/launch.mjs <${Object.keys(PROGRAMS).join('|')}> [arguments]`);
checkNode();
// servers that are given by their addresses need neither
const given = name === 'start' ? process.env : {};
const java = typeof program.java === 'function' ? program.java(args) : program.java;
if (java && !given.KAFKA_BROKERS) checkJava();
if (java && !(given.KAFKA_BROKERS && given.REDIS_URL && given.DATABASE_URL)) checkMaven();
forwardSignals();
await alone(async () => {
  await install();
  await build();
});
if (stopped) process.exit(130);
if (!existsSync(program.file))
  fail(`${program.file} is missing after the build: run npm run build and look at its output.`);
runProgram(program, args);
