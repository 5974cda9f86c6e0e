import pg from 'pg';
import type { Driver } from './driver.js';

/** More of them make PostgreSQL slower on a few processors, fewer leave it idle while a commit syncs. */
const CONNECTIONS = 64;
const NEXT = { name: 'next', text: 'UPDATE seqs SET seq = seq + 1 WHERE uid = $1 RETURNING seq' };

/** A pool of connections, each with the statement prepared. */
export function openPostgres({ port, user }: { readonly port: number; readonly user: string }): Driver {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user, database: 'postgres', max: CONNECTIONS });
  const update = async (uid: number): Promise<void> => {
    const { rowCount } = await pool.query({ ...NEXT, values: [uid] });
    if (rowCount !== 1) throw new Error(`${rowCount} rows of uid ${uid} were changed`);
  };
  return { opsPerCall: 1, call: (draw) => update(draw()), close: () => pool.end() };
}
