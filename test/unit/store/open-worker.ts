import { SeqError } from '../../../src/base/errors.js';
import { DamageError } from '../../../src/store/damage.js';
import { openAt, type WholeContent, wholeContentOf } from './disk.js';

/**
 * Opens one data directory after another, in a process of its own: LevelDB has assertions that end the process on some
 * damage, and the one that asks should live on. Answers with what is in it, or why it was refused.
 */
process.on('message', (directory: string) => void open(directory).then((answer) => process.send?.(answer)));

export type Answer = { readonly refused: string } | { readonly content: WholeContent } | { readonly broken: string };

async function open(directory: string): Promise<Answer> {
  try {
    const opened = await openAt(directory);
    const content = wholeContentOf(opened);
    await opened.storage.close();
    return { content };
  } catch (error) {
    // A flipped bit can make this the data of another cluster; that is a refusal too.
    if (error instanceof DamageError || SeqError.is(error, 'INVALID_ARGUMENT')) return { refused: error.message };
    return { broken: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
