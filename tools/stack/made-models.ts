import { DataModels } from './data-model';
import type { Log } from './download';
import { startServers } from './servers';
import { startStack } from './stack';

/** What the stacks of a test run begin with; null: each makes its own. */
export async function madeModels(say: Log): Promise<DataModels | null> {
  const models = new DataModels();
  try {
    await models.make('bare', async (dir) => (await startServers({ dir })).stop());
    await models.make('prepared', async (dir) => {
      const stack = await startStack({ dir, ports: 'free', onlyPrepare: true });
      await stack.stop();
    });
    return models;
  } catch (error) {
    say(`Stacks are made from nothing: ${String(error)}`);
    models.remove();
    return null;
  }
}
