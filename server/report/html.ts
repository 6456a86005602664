/** HTML and SVG as text. Must stay true: whatever comes in as a string leaves escaped, in elements and in attributes alike. */

/** Markup that is escaped already; only `el` makes it. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
export type Part = Html | string | number | null | undefined | false | readonly Part[];
type Attributes = Readonly<Record<string, string | number | undefined>>;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** What XML has no place for, tabs and line ends aside. */
const forbidden = /(?![\t\n\r])\p{Cc}|\p{Cs}|[\uFFFE\uFFFF]/gu;
const escaped = (text: string): string =>
  text.replace(forbidden, '\uFFFD').replace(/[&<>"']/g, (c) => entities[c] ?? c);

const empty = new Set(['meta', 'br']);

/** An element. Attributes that are undefined are left out. */
export function el(tag: string, attributes: Attributes = {}, ...children: readonly Part[]): Html {
  const list = Object.entries(attributes).flatMap(([k, v]) =>
    v === undefined ? [] : [` ${k}="${escaped(String(v))}"`],
  );
  const open = `<${tag}${list.join('')}>`;
  return new Html(empty.has(tag) ? open : `${open}${children.map(text).join('')}</${tag}>`);
}

function text(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(text).join('');
  return escaped(String(part));
}

/** A whole document around a body, with its style in it. */
export const documentOf = (title: string, style: string, ...body: readonly Part[]): string =>
  `<!doctype html>\n${
    el(
      'html',
      { lang: 'en' },
      el(
        'head',
        {},
        el('meta', { charset: 'utf-8' }),
        el('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
        el('title', {}, title),
        // Of ours, without a character that would need escaping: in HTML nothing is unescaped there.
        el('style', {}, new Html(style)),
      ),
      el('body', {}, ...body),
    ).text
  }\n`;
