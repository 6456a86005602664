// @ts-check
/**
 * Which view an address means. Addresses live behind the '#', so that one page serves all of them and the daemon needs to know
 * none. "#/tasks/9f0d?board=pico" -> the pattern "tasks/:id" with {id: '9f0d'} and its query.
 */

/** @typedef {Readonly<Record<string, string>>} Params */
/** @typedef {{ params: Params, query: URLSearchParams }} Place */

/**
 * @param {string} hash
 * @returns {{ parts: readonly string[], query: URLSearchParams }}
 */
export function readHash(hash) {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return {
    parts: path
      .split('/')
      .filter((p) => p !== '')
      .map(decoded),
    query: new URLSearchParams(query),
  };
}

/** @param {string} part Whoever wrote "%zz" meant it. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/**
 * What a pattern's names stand for, or undefined where it does not match.
 * @param {string} pattern
 * @param {readonly string[]} parts
 * @returns {Params | undefined}
 */
export function match(pattern, parts) {
  const wanted = pattern.split('/').filter((p) => p !== '');
  if (wanted.length !== parts.length) return undefined;
  /** @type {Record<string, string>} */
  const params = {};
  for (const [i, w] of wanted.entries()) {
    const part = parts[i] ?? '';
    if (w.startsWith(':')) params[w.slice(1)] = part;
    else if (w !== part) return undefined;
  }
  return params;
}

/**
 * An address: to('tasks', id, {board}). Undefined and empty values are left out.
 * @param {...(string | Record<string, string | number | null | undefined>)} steps
 */
export function to(...steps) {
  const query = new URLSearchParams();
  const path = steps.flatMap((s) => (typeof s === 'string' ? [encodeURIComponent(s)] : []));
  for (const s of steps)
    if (typeof s !== 'string')
      for (const [k, v] of Object.entries(s)) if (v !== undefined && v !== null && v !== '') query.set(k, String(v));
  const text = query.toString();
  return `#/${path.join('/')}${text === '' ? '' : `?${text}`}`;
}
