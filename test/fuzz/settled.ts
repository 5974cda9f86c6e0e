/** More than any chain of promises on these stages has links. */
const TURNS = 12;

/** Every promise that can settle by itself has. Time stands still, and nothing that waits for a turn of the event loop gets one. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await Promise.resolve();
}
