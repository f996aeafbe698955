import { Client } from 'pg';
import { uuidv7 } from 'uuidv7';

/** Makes users by rows alone: nobody can log in as them. Their ids. */
export async function manyUsers(databaseUrl: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => uuidv7());
  const sql = new Client({ connectionString: databaseUrl });
  await sql.connect();
  try {
    await sql.query(
      `INSERT INTO users (id, username, username_key, email, email_key, first_name, password_hash)
       SELECT u, u, u, u, u, 'Many', '' FROM unnest($1::uuid[]) u`,
      [ids],
    );
  } finally {
    await sql.end();
  }
  return ids;
}
