// @ts-check
/**
 * The daemon's HTTP interface, as the page uses it. Must stay true: whatever the daemon refuses is thrown as a Problem with its
 * code; a daemon that is not there is told of once (`onGone`) and asked for until it answers (`onBack`); a token that the daemon
 * wants is asked for once, however many requests wait for it.
 */

/** An answer that is none of the good ones; `status` 0: no answer. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} detail
   */
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** @typedef {{ id: number, type: string, data: any }} ServerEvent */
/**
 * @typedef {object} ApiHooks
 * @property {() => void} onGone
 * @property {() => void} onBack
 * @property {(why: string) => Promise<string>} askToken  Resolves to what the user typed.
 */

const tokenKey = 'microtune-token';
/** Milliseconds between two looks for a daemon that went away. */
const lookAgain = 1500;

export class Api {
  /** @param {ApiHooks} hooks */
  constructor(hooks) {
    this.hooks = hooks;
    /** @type {'here' | 'gone'} */
    this.state = 'here';
    /** @type {Promise<void> | undefined} */
    this.asking = undefined;
  }

  /** Whether requests carry a token: plain links do not work then. */
  get hasToken() {
    return sessionStorage.getItem(tokenKey) !== null;
  }

  /**
   * @param {string} path
   * @param {AbortSignal} [signal]
   * @returns {Promise<any>}
   */
  async get(path, signal) {
    return (await this.request(path, { signal: signal ?? null })).json();
  }

  /**
   * The same, or undefined where the daemon does not know the route or the thing: an older daemon, a newer page.
   * @param {string} path
   * @param {AbortSignal} [signal]
   */
  async find(path, signal) {
    return this.get(path, signal).catch((e) => {
      if (e instanceof Problem && e.status === 404) return undefined;
      throw e;
    });
  }

  /**
   * @param {'POST' | 'PUT' | 'PATCH' | 'DELETE'} method
   * @param {string} path
   * @param {unknown} [body]
   * @returns {Promise<any>}
   */
  async send(method, path, body) {
    const json =
      body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const answer = await this.request(path, { method, ...json });
    return answer.status === 204 ? undefined : answer.json();
  }

  /**
   * @param {File} file
   * @returns {Promise<import('../schemas/index.ts').ModelBody>}
   */
  async upload(file) {
    const headers = { 'content-type': 'application/octet-stream' };
    const path = `/v1/models?name=${encodeURIComponent(file.name.slice(0, 200))}`;
    return (await this.request(path, { method: 'POST', headers, body: file })).json();
  }

  /**
   * Hands a file of the daemon to the user.
   * @param {string} path
   * @param {string} name
   */
  async download(path, name) {
    save(await (await this.request(path, {})).blob(), name);
  }

  /**
   * Events of a stream behind event `after`, for as long as there are some; goes on by itself where the line breaks.
   * @param {string} path
   * @param {number} after
   * @param {AbortSignal} signal
   * @returns {AsyncGenerator<ServerEvent>}
   */
  async *events(path, after, signal) {
    let last = after;
    for (;;) {
      const headers = { accept: 'text/event-stream', 'last-event-id': String(last) };
      const answer = await this.request(path, { headers, signal });
      if (answer.status === 204 || answer.body === null) return;
      try {
        for await (const event of eventsIn(answer.body)) {
          last = event.id;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) throw error;
      }
      // Either the job has ended, and the next answer is 204, or the line broke.
      await new Promise((go) => setTimeout(go, 250));
    }
  }

  /**
   * @param {string} path
   * @param {RequestInit} init
   * @returns {Promise<Response>}
   */
  async request(path, init) {
    await this.asking;
    const token = sessionStorage.getItem(tokenKey);
    const headers = { ...init.headers, ...(token !== null && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(path, { ...init, headers }).catch((error) => {
      if (!init.signal?.aborted) this.lost();
      throw init.signal?.aborted ? error : new Problem(0, 'DAEMON_UNREACHABLE', 'the daemon does not answer');
    });
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (answer.status !== 401) throw problem;
    await this.newToken(token, problem.message);
    return this.request(path, init);
  }

  /**
   * @param {string | null} refused
   * @param {string} why
   */
  newToken(refused, why) {
    // Another request may have asked for one meanwhile.
    if (this.asking === undefined && sessionStorage.getItem(tokenKey) === refused)
      this.asking = this.hooks.askToken(why).then((token) => {
        sessionStorage.setItem(tokenKey, token);
        this.asking = undefined;
      });
    return this.asking;
  }

  lost() {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.hooks.onGone();
    const look = async () => {
      const answer = await fetch('/healthz').catch(() => undefined);
      if (answer === undefined || answer.status >= 500) return void setTimeout(look, lookAgain);
      this.state = 'here';
      this.hooks.onBack();
    };
    setTimeout(look, lookAgain);
  }
}

/** @param {unknown} error */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/** Gives a file to the user, as browsers save one. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const link = document.createElement('a');
  link.download = name;
  link.href = URL.createObjectURL(blob);
  link.click();
  URL.revokeObjectURL(link.href);
}

/** @param {Response} answer */
async function problemOf(answer) {
  const body = await answer.json().catch(() => ({}));
  return new Problem(answer.status, String(body.code ?? answer.status), String(body.detail ?? answer.statusText));
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @returns {AsyncGenerator<ServerEvent>}
 */
async function* eventsIn(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + decoder.decode(value, { stream: true })).split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = eventIn(block);
      if (event !== undefined) yield event;
    }
  }
}

/**
 * @param {string} block
 * @returns {ServerEvent | undefined} undefined: a comment
 */
function eventIn(block) {
  const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/s)));
  return fields.data === undefined
    ? undefined
    : { id: Number(fields.id), type: fields.event ?? 'message', data: JSON.parse(fields.data) };
}
