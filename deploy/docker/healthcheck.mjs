// Exit 0 when the node in this container answers /livez on its admin port, 1 when it does not.
const port = process.env['SEQSVR_ADMIN_PORT'] ?? '7072';
const path = process.argv[2] ?? '/livez';
const ANSWER_LIMIT_MS = 4_000;

try {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  console.log((await response.text()).trim());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  console.error(`http://127.0.0.1:${port}${path}: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
