import { runConformance } from './conformance.js';

// npm runs scripts in the project's folder, and says where it was called from: there the user's paths begin.
const cwd = process.env['INIT_CWD'] ?? process.cwd();
process.exitCode = runConformance(process.argv.slice(2), { cwd, print: (line) => console.log(line) });
