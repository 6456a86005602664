// @ts-check
/**
 * What a view gets: a place to show things, the daemon, and a signal that ends everything it began when the user goes elsewhere.
 * Must stay true: nothing of a view goes on after its signal; whatever goes wrong in it is shown in words.
 */
import { messageOf, Problem } from './api.js';
import { h, render } from './dom.js';
import { readHash } from './router.js';
import { problem } from './ui.js';

/** @typedef {import('./dom.js').Child} Child */
/** @typedef {{ pattern: string, nav: string, open(page: Page): void | Promise<void> }} View  `nav`: which part of the site it belongs to. */

export class Page {
  /**
   * @param {object} o
   * @param {Element} o.outlet
   * @param {import('./api.js').Api} o.api
   * @param {import('./router.js').Place} o.place
   * @param {AbortSignal} o.signal
   * @param {(text: string, tone?: 'bad') => void} o.say  Tells the user something that passes.
   * @param {() => void} o.reopen
   */
  constructor({ outlet, api, place, signal, say, reopen }) {
    this.outlet = outlet;
    this.api = api;
    this.params = place.params;
    this.query = place.query;
    this.signal = signal;
    this.say = say;
    this.reopen = reopen;
  }

  /** @param {...Child} children */
  show(...children) {
    if (!this.signal.aborted) render(this.outlet, ...children);
  }

  /** @param {string} text */
  title(text) {
    if (!this.signal.aborted) document.title = `${text} · microtune`;
  }

  /** @param {string} path */
  get(path) {
    return this.api.get(path, this.signal);
  }
  /** The same, undefined where there is none. @param {string} path */
  find(path) {
    return this.api.find(path, this.signal);
  }

  /** Other settings of the same view, in its address: they outlive a reload. @param {string} hash */
  replace(hash) {
    history.replaceState(null, '', hash);
    this.query = readHash(hash).query;
  }

  /** Does something now and then again and again, while the page can be seen. @param {number} ms @param {() => Promise<unknown>} work */
  every(ms, work) {
    const again = async () => {
      if (this.signal.aborted) return;
      if (!document.hidden) await work().catch((error) => this.failed(error));
      if (!this.signal.aborted) setTimeout(again, ms);
    };
    setTimeout(again, ms);
  }

  /** An action of the user: what goes wrong is told. @param {() => Promise<string | void>} work */
  async act(work) {
    try {
      const told = await work();
      if (told) this.say(told);
    } catch (error) {
      this.say(messageOf(error), 'bad');
    }
  }

  /** Shows an error in place of the view; an end of ours and a daemon that is away (which the banner tells) are none. @param {unknown} error */
  failed(error) {
    const away = error instanceof Problem && error.status === 0;
    if (this.signal.aborted || away) return;
    console.info('the view ended:', error);
    this.show(h('h1', null, 'This cannot be shown'), problem(error, this.reopen));
  }
}
