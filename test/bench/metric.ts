/** The value of one sample, named with its labels as they are written, on a Prometheus page. Throws when it is not there. */
export async function metricOf(url: string, name: string): Promise<number> {
  const page = await (await fetch(url)).text();
  const line = page.split('\n').find((text) => text.startsWith(`${name} `));
  if (line === undefined) throw new Error(`${url} has no ${name}`);
  return Number(line.slice(name.length + 1));
}
