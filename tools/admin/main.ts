import { hostname, userInfo } from 'node:os';
import { STORAGE_RPC } from '@tidings/common/rpc/calls';
import { RpcClient } from '@tidings/common/rpc/rpc-client';
import { dataDir } from '../stack/paths';
import { readStackFile } from '../stack/stack-file';
import { failureText, runCommand, USAGE, UsageError } from './command';

/** `npm run admin -- …`: what operators do, by whoever holds the cluster's secret. */

function target(): { urls: string[]; secret: string } {
  const { STORAGE_URLS: given, CLUSTER_SECRET: secret } = process.env;
  if (given && secret) return { urls: given.split(',').map((url) => url.trim()), secret };
  const stack = readStackFile(dataDir());
  if (!stack) {
    throw new UsageError(
      'Nothing runs here: npm start first, or set STORAGE_URLS and CLUSTER_SECRET',
    );
  }
  const nodes = stack.nodes.filter(({ service }) => service === 'storage');
  return { urls: nodes.map(({ url }) => url), secret: stack.clusterSecret };
}

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args[0] === 'help' || args[0] === '--help') {
    process.stdout.write(`${USAGE}\n`);
    return args.length === 0 ? 1 : 0;
  }
  let storage: RpcClient<typeof STORAGE_RPC> | null = null;
  try {
    const { urls, secret } = target();
    storage = new RpcClient(STORAGE_RPC, { urls, secret, nodeId: 'admin' });
    const origin = `command ${userInfo().username}@${hostname()}`.slice(0, 200);
    const lines = await runCommand(args, storage, origin);
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    return 0;
  } catch (error) {
    const usage = error instanceof UsageError ? `\n${USAGE}` : '';
    process.stderr.write(`${failureText(error, args)}${usage}\n`);
    return 1;
  } finally {
    storage?.close();
  }
}

void main(process.argv.slice(2)).then((status) => (process.exitCode = status));
