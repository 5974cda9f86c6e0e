import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { COMMANDS } from '../../src/cli/command-tree.js';

const PAGES = [...readdirSync('.'), ...readdirSync('docs').map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md') && name !== 'CHANGELOG.md',
);
/** A command at the beginning of a line of code, or of a part of it: after variables, npx, sudo, with flags before it, `&&`, `|` or `$(`. */
const COMMAND = /(?:^|&&|\||\$\()\s*(?:[A-Z_]+=\S+ )*(?:sudo )?(?:npx )?(?:seqctl|seqsvr) (?:--[a-z-]+ \S+ )*([a-z][^\n|;&)]*)/gm;

describe('commands in the documents', () => {
  const texts = PAGES.map((page) => ({ page, text: readFileSync(page, 'utf8') }));

  it('name scripts of package.json', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'));
    const named = texts.flatMap(({ page, text }) =>
      [...text.matchAll(/npm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, name]) => ({ page, name: name! })),
    );
    expect(named.length).to.be.greaterThan(15);
    for (const { page, name } of named) expect(scripts, `${page}: npm run ${name}`).to.have.property(name);
  });

  it('name programs that are built', () => {
    const named = texts.flatMap(({ page, text }) => [...text.matchAll(/node dist\/([\w/.-]+)\.js/g)].map(([, name]) => ({ page, name: name! })));
    for (const { page, name } of named) expect(existsSync(`${name}.ts`), `${page}: dist/${name}.js`).to.equal(true);
  });

  it('name commands and flags that there are', async function () {
    this.timeout(60_000);
    const helps = new Map<string, Promise<string>>();
    let count = 0;
    for (const { page, text } of texts) {
      for (const [, line = ''] of codeOf(text).matchAll(COMMAND)) {
        const path = commandIn(line);
        const key = path.join(' ');
        helps.set(key, helps.get(key) ?? helpOf(path));
        const help = await helps.get(key)!;
        count++;
        for (const [, flag = ''] of line.matchAll(/(?:^|[\s[])(--[a-z][a-z-]*|-[a-z]\b)/g)) {
          const known = flag.replace(/^--no-/, '--');
          expect(help.includes(flag) || help.includes(known), `${page}: '${line.trim()}' has ${flag}`).to.equal(true);
        }
      }
    }
    expect(count).to.be.greaterThan(40);
  });
});

/** What stands in backticks or in a block, for a sentence may speak of seqsvr too. */
function codeOf(markdown: string): string {
  const blocks = [...markdown.matchAll(/^```[a-z]*\n([\s\S]*?)^```/gm)].map(([, text]) => text);
  const spans = [...markdown.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, text]) => text);
  return [...blocks, ...spans].join('\n').replaceAll(/(^|\s)#.*$/gm, '');
}

/** The words of the tree that a line begins with. Throws for a word that should be one and is not. */
function commandIn(line: string): string[] {
  const [group = '', word = ''] = line.trim().split(/\s+/);
  const below = COMMANDS[group];
  if (below === undefined) throw new Error(`'${line.trim()}': there is no command ${group}`);
  if (below.length === 0 || !/^[a-z]/.test(word)) return [group];
  const words = word.replace(/[^a-z|-].*$/, '').split('|');
  for (const one of words) if (!below.includes(one)) throw new Error(`'${line.trim()}': ${group} has no command ${one}`);
  return [group, words[0]!];
}

async function helpOf(path: readonly string[]): Promise<string> {
  let help = '';
  const realLog = console.log;
  console.log = (text: string) => void (help += `${text}\n`);
  try {
    const { runProgram } = await import('../../src/cli/program.js');
    const talk = (line: string): void => void (help += `${line}\n`);
    await runProgram([...path, '--help'], { name: 'seqctl', output: { out: (text) => void (help += text), talk } });
    return help;
  } finally {
    console.log = realLog;
  }
}
