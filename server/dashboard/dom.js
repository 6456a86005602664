// @ts-check
/**
 * Elements as data, and what makes the page show them: render() changes only what differs, so that focus, scroll positions and
 * what somebody types survive news that come four times a second. Must stay true: whatever comes as a child or an attribute
 * reaches the page as text; nothing is ever parsed as HTML.
 */

/** @typedef {{ update(data: any): void, end(): void }} Widget  Draws below its element by itself: charts. */
/**
 * @typedef {object} VNode
 * @property {string} tag
 * @property {string | undefined} key  Tells siblings of a list apart.
 * @property {Record<string, any>} props  `on…`: handlers, `style`: an object, `widget` and `data`: see Widget; the rest attributes.
 * @property {readonly (VNode | string)[]} children
 */
/** @typedef {VNode | string | number | null | undefined | false | readonly Child[]} Child */
/** @typedef {Element & { made?: VNode, widget?: Widget }} Made  An element of ours. */

/** What a user changes too: set as properties, and only when we want another value than before. */
const live = new Set(['value', 'checked', 'open', 'selected', 'disabled']);

/**
 * An element.
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...Child} children
 * @returns {VNode}
 */
export function h(tag, props, ...children) {
  const { key, ...rest } = props ?? {};
  return { tag, key: key === undefined ? undefined : String(key), props: rest, children: flat(children) };
}

/**
 * @param {readonly Child[]} children
 * @returns {(VNode | string)[]}
 */
function flat(children) {
  return children.flatMap((c) => {
    if (c === null || c === undefined || c === false || c === '') return [];
    if (Array.isArray(c)) return flat(c);
    return [typeof c === 'number' ? String(c) : /** @type {VNode | string} */ (c)];
  });
}

/**
 * Makes an element's children these.
 * @param {Element} parent
 * @param {...Child} children
 */
export function render(parent, ...children) {
  patchChildren(parent, flat(children));
}

/**
 * @param {Element} parent
 * @param {readonly (VNode | string)[]} wanted
 */
function patchChildren(parent, wanted) {
  const old = [...parent.childNodes];
  const keyed = new Map(old.flatMap((n) => (keyOf(n) === undefined ? [] : [[keyOf(n), n]])));
  const free = old.filter((n) => keyOf(n) === undefined);
  const kept = new Set();
  let at = parent.firstChild;
  for (const child of wanted) {
    const known = typeof child !== 'string' && child.key !== undefined ? keyed.get(child.key) : take(free, child);
    const node = known !== undefined && fits(known, child) ? known : make(child);
    kept.add(node);
    if (typeof child === 'string') {
      if (node.nodeValue !== child) node.nodeValue = child;
    } else patch(/** @type {Made} */ (node), child);
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
  for (const node of old) if (!kept.has(node)) remove(node);
}

/** @param {ChildNode} node */
const keyOf = (node) => /** @type {Made} */ (/** @type {unknown} */ (node)).made?.key;

/**
 * The next of the nodes without a key, if it can become this child.
 * @param {ChildNode[]} free
 * @param {VNode | string} child
 */
function take(free, child) {
  const i = free.findIndex((n) => fits(n, child));
  // What is skipped was of another kind; it goes.
  return i < 0 ? undefined : free.splice(0, i + 1).at(-1);
}

/**
 * @param {ChildNode} node
 * @param {VNode | string} child
 */
function fits(node, child) {
  if (typeof child === 'string') return node.nodeType === Node.TEXT_NODE;
  const { made } = /** @type {Made} */ (/** @type {unknown} */ (node));
  return (
    made !== undefined && made.tag === child.tag && made.key === child.key && made.props.widget === child.props.widget
  );
}

/**
 * @param {VNode | string} child
 * @returns {ChildNode}
 */
function make(child) {
  if (typeof child === 'string') return document.createTextNode(child);
  const made = document.createElement(child.tag);
  /** @type {Made} */ (made).made = { ...child, props: {}, children: [] };
  return made;
}

/**
 * @param {Made} el
 * @param {VNode} wanted
 */
function patch(el, wanted) {
  const before = el.made?.props ?? {};
  for (const name of Object.keys(before)) if (!(name in wanted.props)) setProp(el, name, undefined);
  for (const [name, value] of Object.entries(wanted.props)) if (before[name] !== value) setProp(el, name, value);
  el.made = wanted;
  const { widget, data } = wanted.props;
  if (widget === undefined) return patchChildren(el, wanted.children);
  el.widget ??= widget(el);
  el.widget?.update(data);
}

/**
 * @param {Element} el
 * @param {string} name
 * @param {any} value
 */
function setProp(el, name, value) {
  if (name === 'widget' || name === 'data') return;
  if (name.startsWith('on') || live.has(name)) {
    /** @type {any} */ (el)[name] = value ?? (name.startsWith('on') ? null : '');
    return;
  }
  if (name === 'style') {
    const { style } = /** @type {HTMLElement} */ (el);
    for (const [property, v] of Object.entries(value ?? {})) style.setProperty(property, v);
    return;
  }
  if (value === undefined || value === null || value === false) el.removeAttribute(name);
  else el.setAttribute(name, value === true ? '' : String(value));
}

/** @param {ChildNode} node */
function remove(node) {
  if (node instanceof Element) endWidgets(node);
  node.remove();
}

/** @param {Element} el */
function endWidgets(el) {
  for (const one of [el, ...el.querySelectorAll('*')]) /** @type {Made} */ (one).widget?.end();
}
