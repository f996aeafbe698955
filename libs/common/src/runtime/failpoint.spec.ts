type Failpoints = typeof import('@tidings/common/runtime/failpoint.js');

/** The module as it is in a process with this environment. */
async function failpoints(env: Record<string, string>): Promise<Failpoints> {
  const kept = { ...process.env };
  Object.assign(process.env, env);
  try {
    let found!: Failpoints;
    await jest.isolateModulesAsync(async () => {
      found = await import('@tidings/common/runtime/failpoint.js');
    });
    return found;
  } finally {
    process.env = kept;
  }
}

describe('a failpoint', () => {
  const TEST_FAILPOINT = 'here:throw,there:sleep1';

  it('does what a test has asked for, and nothing elsewhere', async () => {
    const { failpoint, FAILPOINTS_SET } = await failpoints({ TEST_FAILPOINT, NODE_ENV: 'test' });
    expect(FAILPOINTS_SET).toBe(true);
    await expect(failpoint('here')).rejects.toThrow('failpoint here');
    await expect(failpoint('there')).resolves.toBeUndefined();
    await expect(failpoint('elsewhere')).resolves.toBeUndefined();
  });

  it('does nothing in production, whatever the environment asks for', async () => {
    const env = { TEST_FAILPOINT, NODE_ENV: 'production' };
    const { failpoint, FAILPOINTS_SET } = await failpoints(env);
    expect(FAILPOINTS_SET).toBe(false);
    await expect(failpoint('here')).resolves.toBeUndefined();
  });
});
