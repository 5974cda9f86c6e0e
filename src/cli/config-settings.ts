import type { ConfigDocument, KeyPath } from './config-document.js';
import { type ConfigKey, keysOf } from './config-keys.js';
import { CONFIG_SCHEMAS, type NodeConfig } from './config.js';

/** One setting as it is in effect. */
export interface Setting {
  /** Dotted: `geometry.lastUid`. */
  readonly key: string;
  /** As a file would say it. Undefined: there is none. */
  readonly value: unknown;
  readonly origin: 'file' | 'env' | 'default' | 'derived';
  /** Of the file. */
  readonly line: number | undefined;
}

/** What is shown in the place of a value that is nobody's business. */
export const REDACTED = '(redacted)';
/** Keys whose value is a secret itself. What only names a file with one in it is a path. */
const SECRET = /secret|password|passphrase|token$|credential/i;

/** Every setting of a file that was found good, in the order of the schema. `isRedacted`: paths are hidden as well as secrets. Pure. */
export function settingsOf(config: NodeConfig, document: ConfigDocument, { isRedacted }: { readonly isRedacted: boolean }): Setting[] {
  const found = document.read();
  const raw = 'raw' in found ? found.raw : undefined;
  const settings = keysOf(CONFIG_SCHEMAS[config.role]).flatMap((key) => settingsUnder(key, [key.name], raw, document));
  return settings.map(({ setting, type }) => {
    const own = setting.value === undefined ? derived(setting, config) : setting;
    return { ...own, value: visible(own.value, own.key, type, isRedacted) };
  });
}

function settingsUnder(
  key: ConfigKey,
  path: KeyPath,
  raw: unknown,
  document: ConfigDocument,
): readonly { readonly setting: Setting; readonly type: string }[] {
  const value = valueAt(raw, path);
  const isObject = typeof value === 'object' && value !== null;
  if (key.type === 'keys') {
    // An optional block that is left out is one line; the keys below one that is there, or that has defaults, are lines of their own.
    if (value === undefined && key.fallback === undefined) return [{ setting: settingOf(path, undefined, document), type: key.type }];
    return key.below.flatMap((below) => settingsUnder(below, [...path, below.name], raw, document));
  }
  if (key.type === 'list' && isObject) {
    const items = Object.entries(value).map(([at]) => [...path, Number(at)]);
    return items.flatMap((at) =>
      key.below.length > 0
        ? key.below.flatMap((below) => settingsUnder(below, [...at, below.name], raw, document))
        : [{ setting: settingOf(at, valueAt(raw, at), document), type: key.item?.type ?? 'any' }],
    );
  }
  const isInFile = value !== undefined && value !== null;
  const setting = isInFile ? settingOf(path, value, document) : { ...settingOf(path, undefined, document), value: key.fallback ?? undefined };
  return [{ setting, type: key.type }];
}

function settingOf(path: KeyPath, value: unknown, document: ConfigDocument): Setting {
  const key = path.join('.');
  if (value === undefined) return { key, value, origin: 'default', line: undefined };
  return { key, value, origin: 'file', line: document.lineOf(path) };
}

/** What the program takes from other keys when a file leaves it out. */
function derived(setting: Setting, config: NodeConfig): Setting {
  const value = {
    advertise: config.role === 'store' ? config.advertise : (config.advertise ?? config.listen),
    peerAdvertise: config.role === 'store' ? config.peerAdvertise : undefined,
  }[setting.key];
  return value === undefined ? setting : { ...setting, value, origin: 'derived' };
}

function visible(value: unknown, key: string, type: string, isRedacted: boolean): unknown {
  if (value === undefined) return undefined;
  const isHidden = SECRET.test(key.split('.').at(-1) ?? '') || (isRedacted && type === 'path');
  return isHidden ? REDACTED : value;
}

function valueAt(raw: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>((at, step) => (typeof at === 'object' && at !== null ? new Map(Object.entries(at)).get(String(step)) : undefined), raw);
}
