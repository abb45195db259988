/** The options of `connect`, checked and complete. */

import type { Domain, Options } from './types.js';

export interface Settings {
  readonly base: URL;
  readonly topics: readonly string[];
  readonly after: string;
  /** Whether to go on from where the device was, if that is stored. */
  readonly resumes: boolean;
  readonly fetch: typeof fetch;
  readonly headers: () => Promise<Headers>;
  readonly name: string | undefined;
  readonly actor: string | undefined;
  readonly domain: Domain | undefined;
  readonly intentsMax: number;
  readonly bufferEventsMax: number;
  readonly heldEventsMax: number;
  readonly heldBytesMax: number;
  readonly pageEventsMax: number;
  readonly connectTimeoutMs: number;
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** Throws a `TypeError` or `RangeError` that names the option which can't be. */
export function settings(options: Options): Settings {
  const { topics, headers, token, after = 'latest' } = options;
  if (!Array.isArray(topics) || topics.length === 0 || topics.some((topic) => typeof topic !== 'string')) {
    throw new TypeError('topics must name at least one stream or pattern');
  }
  return {
    base: base(options.url ?? globalThis.location?.origin),
    topics: [...topics],
    after,
    resumes: options.after === undefined,
    // Called as a method of ours, the browser's own would throw.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    headers: async () => {
      const given = new Headers(typeof headers === 'function' ? await headers() : headers);
      if (token) {
        given.set('authorization', `Bearer ${await token()}`);
      }
      return given;
    },
    name: options.name,
    actor: options.actor,
    domain: options.domain,
    intentsMax: limit(options, 'intentsMax', 256),
    bufferEventsMax: limit(options, 'bufferEventsMax', 1024),
    heldEventsMax: limit(options, 'heldEventsMax', 1024),
    heldBytesMax: limit(options, 'heldBytesMax', 4 * 1024 * 1024),
    pageEventsMax: limit(options, 'pageEventsMax', 256),
    connectTimeoutMs: limit(options, 'connectTimeoutMs', 20_000),
    backoffBaseMs: limit(options, 'backoffBaseMs', 250),
    backoffMaxMs: limit(options, 'backoffMaxMs', 30_000),
  };
}

function base(url: string | URL | undefined): URL {
  if (url === undefined) {
    throw new TypeError("url must be the server's, as there is no page whose origin could stand in");
  }
  const base = new URL(url);
  if (!['http:', 'https:'].includes(base.protocol)) {
    throw new TypeError(`url must begin with http:// or https://, not ${base.protocol}`);
  }
  if (base.search !== '' || base.hash !== '') {
    throw new TypeError('url must have no query and no fragment: what is not part of the path would be lost');
  }
  if (!base.pathname.endsWith('/')) {
    base.pathname += '/';
  }
  return base;
}

type Limit = 'intentsMax' | 'bufferEventsMax' | 'heldEventsMax' | 'heldBytesMax' | 'pageEventsMax' | 'connectTimeoutMs' | 'backoffBaseMs' | 'backoffMaxMs';

function limit(options: Options, name: Limit, byDefault: number): number {
  const value = options[name] ?? byDefault;
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
    throw new RangeError(`${name} must be a whole number from 1 to 2^31 - 1`);
  }
  return value;
}
