import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Reads "+ pid signal" and "- pid" lines. When its input ends, the parent is gone, however it ended: what is still
 * listed gets its signal and, after a grace of 5 s, SIGKILL.
 */
const SCRIPT = `
list=
while read -r op pid signal; do
  case $op in
    +) list="$list $pid:$signal" ;;
    -) next=; for entry in $list; do [ "\${entry%%:*}" = "$pid" ] || next="$next $entry"; done; list=$next ;;
  esac
done
for entry in $list; do kill -s "\${entry#*:}" "\${entry%%:*}" 2>/dev/null; done
for round in 1 2 3 4 5 6 7 8 9 10; do
  alive=
  for entry in $list; do kill -0 "\${entry%%:*}" 2>/dev/null && alive=yes; done
  [ -n "$alive" ] || exit 0
  sleep 0.5
done
for entry in $list; do kill -s KILL "\${entry%%:*}" 2>/dev/null; done
`;

let guardian: ChildProcess | undefined;
const guarded = new Set<number>();

function start(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.on('error', () => undefined);
  child.stdin?.on('error', () => undefined);
  child.unref();
  return child;
}

/**
 * Makes a child process end when this process is gone, even by `kill -9`: a small shell in a session of its own holds
 * the other end of a pipe and acts when the pipe closes.
 */
export function guard(pid: number, signal: NodeJS.Signals): void {
  guardian ??= start();
  guarded.add(pid);
  guardian.stdin?.write(`+ ${pid} ${signal.replace('SIG', '')}\n`);
}

/** Forgets a child that has ended; with the last one the guardian ends as well. */
export function unguard(pid: number): void {
  if (!guarded.delete(pid) || guardian === undefined) return;
  guardian.stdin?.write(`- ${pid}\n`);
  if (guarded.size > 0) return;
  guardian.stdin?.end();
  guardian = undefined;
}
