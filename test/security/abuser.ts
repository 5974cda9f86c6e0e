import { setPriority } from 'node:os';
import { ATTACKS } from './attacks/all.js';

/**
 * The hostile client, a process of its own: `abuser.js NAME HOST PORT`. It attacks until its parent asks what came of it, or is gone.
 * At the lowest priority, for what is measured is what the server lets itself in for, and not who gets the processor of a small machine.
 */
setPriority(19);
const [name, host = '', port = ''] = process.argv.slice(2);
const attack = ATTACKS.find((one) => one.name === name);
if (attack === undefined) throw new Error(`no attack is called ${name}`);

const tally = new Map<string, number>();
const note = (what: string, count = 1): void => void tally.set(what, (tally.get(what) ?? 0) + count);
process.on('message', () => process.send?.(Object.fromEntries(tally), () => process.exit(0)));
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
await attack.run({ host, port: Number(port), note });
