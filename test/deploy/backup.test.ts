import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { runProgram } from '../../src/cli/program.js';
import { projectRoot } from '../project-root.js';
import { clusterIn } from './configs.js';

const cronJob = z.object({
  kind: z.literal('CronJob'),
  spec: z.object({
    jobTemplate: z.object({
      spec: z.object({
        template: z.object({
          metadata: z.object({ labels: z.record(z.string(), z.string()) }),
          spec: z.object({
            containers: z.tuple([z.object({ args: z.array(z.string()), env: z.tuple([z.object({ name: z.string(), value: z.string() })]) })]),
          }),
        }),
      }),
    }),
  }),
});

describe('what makes backups', () => {
  const job = parseAllDocuments(readFileSync(join(projectRoot, 'deploy/k8s/components/backup/backup.yaml'), 'utf8'))
    .map((document) => cronJob.safeParse(document.toJS()).data)
    .find((found) => found !== undefined)!.spec.jobTemplate.spec.template;
  const unit = readFileSync(join(projectRoot, 'deploy/systemd/seqsvr-backup.service'), 'utf8').replaceAll('\\\n', ' ');

  it('is a command of seqctl with flags that it has', async () => {
    const inUnit = /main\.js (.+)$/m.exec(unit)?.[1]?.split(/\s+/) ?? [];
    for (const args of [inUnit, job.spec.containers[0].args]) {
      expect(args.slice(0, 2)).to.deep.equal(['snapshot', 'schedule']);
      const help = await helpOf(['snapshot', 'schedule']);
      const flags = args.filter((arg) => arg.startsWith('--'));
      expect(flags).to.include.members(['--dir', '--keep']);
      for (const flag of flags) expect(help).to.match(new RegExp(`^ *(?:-\\w, )?${flag} `, 'm'));
    }
  });

  it('asks the stores of the cluster, and is one whom the policies let through', () => {
    const [{ name, value }] = job.spec.containers[0].env;
    const [store] = clusterIn('deploy/k8s/base/config').stores.values();
    expect({ name, value }).to.deep.equal({ name: 'SEQSVR_ENDPOINTS', value: store!.members.map(({ address }) => address).join() });
    expect(job.metadata.labels).to.include({ 'seqsvr/role': 'operator' });
  });
});

async function helpOf(path: readonly string[]): Promise<string> {
  let help = '';
  const realLog = console.log;
  console.log = (text: string) => void (help += `${text}\n`);
  try {
    await runProgram([...path, '--help'], {
      name: 'seqctl',
      output: { out: (text) => void (help += text), talk: (line) => void (help += `${line}\n`) },
    });
    return help;
  } finally {
    console.log = realLog;
  }
}
