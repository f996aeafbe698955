import { PasswordHasher } from './password-hasher';

describe('password hasher', () => {
  it('makes argon2id hashes with the recommended cost', async () => {
    const hasher = new PasswordHasher();
    const phc = await hasher.hash('correct staple, battery horse');
    expect(phc).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    await expect(hasher.verify(phc, 'correct staple, battery horse')).resolves.toBe(true);
    await expect(hasher.verify(phc, 'correct staple, battery horsE')).resolves.toBe(false);
  });

  it('takes every password as it is', async () => {
    const hasher = new PasswordHasher();
    const phc = await hasher.hash('before\u0000after-1');
    await expect(hasher.verify(phc, 'before\u0000after-2')).resolves.toBe(false);
    await expect(hasher.verify(phc, 'before')).resolves.toBe(false);
    await expect(hasher.verify(phc, 'before\u0000after-1')).resolves.toBe(true);
  });

  it('takes nobody for the user who does not exist', async () => {
    const hasher = new PasswordHasher();
    await expect(hasher.verify(null, 'the password of nobody')).resolves.toBe(false);
  });

  it('is busy when too many wait, and recovers', async () => {
    let now = 0;
    const hasher = new PasswordHasher(() => now);
    const many = Array.from({ length: 230 }, () => hasher.verify(null, 'x'));
    const outcomes = Promise.allSettled(many);
    // Whoever still waits has given up by then.
    now = 10_000;
    const settled = await outcomes;
    const refused = settled.filter((o) => o.status === 'rejected');
    expect(refused.length).toBeGreaterThan(200);
    expect(refused[0]).toMatchObject({
      reason: { code: 'busy', retryAfterMs: expect.any(Number) },
    });
    expect(hasher.queued).toBe(0);
    await expect(hasher.verify(null, 'x')).resolves.toBe(false);
  });
});
