import { stringify } from 'yaml';
import { SeqError } from '../base/errors.js';
import { isLoopback, splitAddress } from '../model/address.js';
import { parseName } from '../model/ids.js';
import { CONFIG_SCHEMAS, examineConfig } from './config.js';
import { formatProblem } from './config-document.js';
import { type ConfigKey, keysOf } from './config-keys.js';

/** A node as a command line names it: `a=10.0.0.1:7071`. */
export interface NamedAddress {
  readonly name: string;
  /** What others dial. */
  readonly address: string;
}

export interface InitOptions {
  readonly stores: readonly NamedAddress[];
  /** Empty: one beside each store. */
  readonly allocs: readonly NamedAddress[];
  /** 32 hex digits. */
  readonly clusterId: string;
  /** Where each node has a folder of its own, by its name. */
  readonly dataRoot: string;
  /** Ports that others reach may be without protection. */
  readonly insecure: boolean;
}

/** A config file to be written. */
export interface InitFile {
  readonly name: string;
  readonly role: 'store' | 'alloc';
  readonly text: string;
}

/** From a store's port for clients to its port for other stores, and to the port of the AllocSvr beside it: as in deploy/config. */
const PEER_PORT_OFFSET = 10;
const ALLOC_PORT_OFFSET = 20;
const COMMENT_WIDTH = 116;

/** `a=host:port,b=host:port`. Throws INVALID_ARGUMENT with the flag, the value and the rule. */
export function parseNamed(flag: string, text: string): NamedAddress[] {
  return text.split(',').map((part) => {
    const [, name = '', address = ''] = /^\s*([^=]*)=(.*?)\s*$/.exec(part) ?? [];
    if (name === '') throw invalid(`${flag} is NAME=HOST:PORT, several with commas, got '${part}'`);
    if (splitAddress(address).port === 0) throw invalid(`${flag}: others must be able to dial ${name}, got port 0`);
    return { name: parseName(name, `${flag}: a name`), address };
  });
}

/** The config files of a new cluster, each one checked as a node would. Throws INVALID_ARGUMENT with what is wrong. Pure. */
export function initFiles(options: InitOptions): InitFile[] {
  const { stores } = options;
  if (![1, 3, 5].includes(stores.length)) throw invalid(`--peers must name 1, 3 or 5 stores, got ${stores.length}`);
  const members = stores.map(({ name, address }, at) => ({ id: at + 1, name, peerAddress: moved(address, PEER_PORT_OFFSET), address }));
  const beside = stores.map(({ name, address }) => ({
    name: parseName(`alloc-${name}`, 'the name of an AllocSvr'),
    address: moved(address, ALLOC_PORT_OFFSET),
  }));
  const allocs = options.allocs.length > 0 ? options.allocs : beside;
  refuseTwice(
    'name',
    [...stores, ...allocs].map(({ name }) => name),
  );
  const addresses = [...members.flatMap(({ address, peerAddress }) => [address, peerAddress]), ...allocs.map(({ address }) => address)];
  refuseTwice('address', addresses);
  const open = addresses.find((address) => !isLoopback(address));
  if (open !== undefined && !options.insecure)
    throw invalid(
      `others can reach ${open} and these files protect nothing: give --insecure to mean it, and keep the ports inside a network that only your services reach`,
    );
  const common = options.insecure ? { insecure: true } : {};
  const files: InitFile[] = members.map((member) => ({
    name: member.name,
    role: 'store',
    text: annotated('store', {
      role: 'store',
      name: member.name,
      cluster: options.clusterId,
      nodeId: member.id,
      dataDir: `${options.dataRoot}/${member.name}`,
      listen: listenFor(member.address),
      peerListen: listenFor(member.peerAddress),
      members,
      ...common,
    }),
  }));
  for (const { name, address } of allocs) {
    const text = annotated('alloc', {
      role: 'alloc',
      name,
      listen: listenFor(address),
      advertise: address,
      stores: stores.map((store) => store.address),
      dataDir: `${options.dataRoot}/${name}`,
      ...common,
    });
    files.push({ name, role: 'alloc', text });
  }
  for (const { name, text } of files) {
    const { problems } = examineConfig(text, `${name}.yaml`);
    if (problems.length > 0) throw invalid(problems.map(formatProblem).join('\n'));
  }
  return files;
}

/** Every key of the role with what it is for; those that are not `given` are there as comments, with their defaults. */
function annotated(role: 'store' | 'alloc', given: Readonly<Record<string, unknown>>): string {
  const parts = keysOf(CONFIG_SCHEMAS[role]).map((key) => {
    const value = given[key.name];
    const head = commented(wrap(`${key.description}${key.range === '' ? '' : ` Value: ${key.type}, ${key.range}.`}`));
    return `${head}${value === undefined ? commented(exampleOf(key)) : stringify({ [key.name]: value }, { lineWidth: 0 })}`;
  });
  return [`# Written by seqsvr init; yours from now on. 'seqsvr config check FILE' says what a node would refuse.\n`, ...parts].join('\n');
}

/** What a key that is left out is taken to be, as the file would say it. */
function exampleOf({ name, below, fallback }: ConfigKey): string[] {
  const value = below.length === 0 ? fallback : Object.fromEntries(below.map((key) => [key.name, key.fallback ?? null]));
  if (value === undefined || value === null) return [`${name}:`];
  return stringify({ [name]: value }, { lineWidth: 0 })
    .trimEnd()
    .split('\n');
}

function commented(lines: readonly string[]): string {
  return lines.map((line) => `# ${line}\n`).join('');
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= COMMENT_WIDTH) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** On loopback only there; elsewhere on every interface, for the name that others dial need not be one of this machine. */
function listenFor(address: string): string {
  return isLoopback(address) ? address : `0.0.0.0:${splitAddress(address).port}`;
}

function moved(address: string, by: number): string {
  const { host, port } = splitAddress(address);
  if (port + by > 65_535)
    throw invalid(
      `the ports ${port}, ${port + PEER_PORT_OFFSET} and ${port + ALLOC_PORT_OFFSET} are taken for ${address}, and the last is past 65535`,
    );
  return `${host}:${port + by}`;
}

function refuseTwice(what: string, values: readonly string[]): void {
  const twice = values.find((value, at) => values.indexOf(value) !== at);
  if (twice !== undefined) throw invalid(`every node needs ${what === 'name' ? 'a name' : 'addresses'} of its own, got ${twice} twice`);
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
