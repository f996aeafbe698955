import { settled, together, type RedisClient } from '../client';

/** Keys and arguments of one call of a script. */
export interface ScriptCall {
  keys: readonly string[];
  args: readonly (string | number | Buffer)[];
}

type Command = (
  numberOfKeys: number,
  ...rest: readonly (string | number | Buffer)[]
) => Promise<unknown>;

/**
 * A Lua script that runs by its hash. ioredis sends the text with the first call on each
 * connection, and again after `NOSCRIPT`.
 */
export class Script {
  constructor(
    /** Unique among all scripts. */
    private readonly name: string,
    private readonly lua: string,
  ) {}

  /** Runs it once. Throws `RedisUnavailable`, or a Lua error as it is. */
  run(client: RedisClient, call: ScriptCall): Promise<unknown> {
    return settled(this.on(client)(call.keys.length, ...call.keys, ...call.args));
  }

  /** Runs it once per call, in order, in one round trip. Throws like `run`, for all of them. */
  runEach(client: RedisClient, calls: readonly ScriptCall[]): Promise<unknown[]> {
    const command = this.on(client);
    return together(calls.map(({ keys, args }) => command(keys.length, ...keys, ...args)));
  }

  /** The method that `defineCommand` adds to the client. */
  private on(client: RedisClient): Command {
    const property = `script:${this.name}`;
    if (!(property in client)) client.defineCommand(property, { lua: this.lua });
    return (client as unknown as Record<string, Command>)[property]!.bind(client);
  }
}
