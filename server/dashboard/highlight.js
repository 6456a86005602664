// @ts-check
/** C as coloured text: a few kinds of tokens, found in one pass from left to right. What is in no kind stays plain. */
import { h } from './dom.js';

const keywords =
  'break case const continue default do else enum extern for goto if inline register restrict return sizeof static struct switch typedef union volatile while __asm__ asm';
const types = 'bool char double float int long short signed unsigned void size_t';
const words = new Map([
  ...keywords.split(' ').map((w) => /** @type {const} */ ([w, 'tok-keyword'])),
  ...types.split(' ').map((w) => /** @type {const} */ ([w, 'tok-type'])),
]);
const token =
  /(?<comment>\/\*[\s\S]*?(?:\*\/|(?![\s\S]))|\/\/[^\n]*)|(?<string>"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)|(?<pre>^[ \t]*#[^\n]*)|(?<number>\b(?:0x[\da-f]+|\d[\d.]*)[ulf]*\b)|(?<word>[a-z_]\w*)/gim;

/** @param {string} code */
export function highlighted(code) {
  /** @type {(string | import('./dom.js').VNode)[]} */
  const out = [];
  let at = 0;
  for (const found of code.matchAll(token)) {
    const kind = kindOf(found, code);
    if (kind === undefined) continue;
    out.push(code.slice(at, found.index), h('span', { class: kind }, found[0]));
    at = found.index + found[0].length;
  }
  out.push(code.slice(at));
  return out;
}

/** @param {RegExpMatchArray} found @param {string} code */
function kindOf(found, code) {
  const { comment, string, pre, number, word } = found.groups ?? {};
  if (comment !== undefined) return 'tok-comment';
  if (string !== undefined) return 'tok-string';
  if (pre !== undefined) return 'tok-pre';
  if (number !== undefined) return 'tok-number';
  if (word === undefined) return undefined;
  if (/_t$/.test(word)) return 'tok-type';
  const called = code[(found.index ?? 0) + word.length] === '(';
  return words.get(word) ?? (called ? 'tok-call' : undefined);
}
