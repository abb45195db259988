/**
 * An OpenAPI 3.1 document, read: what it refers to, what operations it has, and what its schemas ask for, in words.
 * Only the parts that the server's own document can have.
 */

/** @typedef {{ $ref: string }} Reference  What stands in place of a value that stands elsewhere. */

/**
 * @typedef {object} SchemaObject
 * @property {string} [$ref]
 * @property {string | string[]} [type]
 * @property {string} [format]
 * @property {string} [title]
 * @property {string} [description]
 * @property {unknown} [const]
 * @property {unknown[]} [enum]
 * @property {unknown} [default]
 * @property {unknown[]} [examples]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [exclusiveMinimum]
 * @property {number} [exclusiveMaximum]
 * @property {number} [multipleOf]
 * @property {number} [minLength]
 * @property {number} [maxLength]
 * @property {string} [pattern]
 * @property {number} [minItems]
 * @property {number} [maxItems]
 * @property {boolean} [uniqueItems]
 * @property {number} [minProperties]
 * @property {number} [maxProperties]
 * @property {Schema} [items]
 * @property {Schema[]} [prefixItems]
 * @property {Record<string, Schema>} [properties]
 * @property {Record<string, Schema>} [patternProperties]
 * @property {Schema} [additionalProperties]
 * @property {string[]} [required]
 * @property {Schema[]} [oneOf]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [allOf]
 * @property {Schema} [not]
 * @property {boolean} [deprecated]
 */
/** @typedef {SchemaObject | boolean} Schema */
/** @typedef {{ summary?: string, description?: string, value?: unknown }} Example */
/** @typedef {{ schema?: Schema, example?: unknown, examples?: Record<string, Example | Reference> }} Media */
/**
 * @typedef {object} HeaderObject
 * @property {string} [description]
 * @property {boolean} [required]
 * @property {boolean} [deprecated]
 * @property {Record<string, Media>} [content]
 */
/** @typedef {Media & HeaderObject} Header */
/** @typedef {Header & { name: string, in: string }} Parameter */
/** @typedef {{ description?: string, required?: boolean, content?: Record<string, Media> }} Body */
/**
 * @typedef {object} Answer
 * @property {string} description
 * @property {Record<string, Header | Reference>} [headers]
 * @property {Record<string, Media>} [content]
 */
/** @typedef {Record<string, string[]>[]} Security */
/**
 * @typedef {object} OperationObject
 * @property {string} [operationId]
 * @property {string[]} [tags]
 * @property {string} [summary]
 * @property {string} [description]
 * @property {boolean} [deprecated]
 * @property {(Parameter | Reference)[]} [parameters]
 * @property {Body | Reference} [requestBody]
 * @property {Record<string, Answer | Reference>} [responses]
 * @property {Security} [security]
 */
/**
 * @typedef {object} SecurityScheme
 * @property {string} type
 * @property {string} [description]
 * @property {string} [name]
 * @property {string} [in]
 * @property {string} [scheme]
 * @property {string} [bearerFormat]
 */
/**
 * @typedef {object} Components
 * @property {Record<string, Schema>} [schemas]
 * @property {Record<string, Answer | Reference>} [responses]
 * @property {Record<string, SecurityScheme | Reference>} [securitySchemes]
 */
/**
 * @typedef {object} Description  The document.
 * @property {string} openapi
 * @property {{ title: string, version: string, summary?: string, description?: string }} info
 * @property {{ name: string, description?: string }[]} [tags]
 * @property {Security} [security]
 * @property {Record<string, Record<string, unknown>>} [paths]
 * @property {Components} [components]
 */
/**
 * @typedef {object} Operation
 * @property {string} id  What its anchor is made of.
 * @property {string} method
 * @property {string} path
 * @property {string} tag
 * @property {Parameter[]} parameters  The path's own among them.
 * @property {OperationObject} is
 */

const PROBLEM = 'application/problem+json';
const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];
/** More references one behind the other than this are a circle. */
const HOPS_MAX = 16;

/**
 * @param {unknown} document
 * @returns {document is Description}
 */
export function isDescription(document) {
  const { openapi, info } = /** @type {Partial<Description>} */ (document ?? {});
  return typeof openapi === 'string' && openapi.startsWith('3.1') && typeof info?.title === 'string';
}

/**
 * The value itself, or what it refers to.
 *
 * @template {object} T
 * @param {Description} document
 * @param {T | Reference} value
 * @returns {T}
 */
export function resolve(document, value) {
  /** @type {unknown} */
  let current = value;
  for (let hop = 0; hop < HOPS_MAX; hop++) {
    const reference = referenceOf(current);
    if (reference === undefined) {
      if (typeof current === 'object' && current !== null) return /** @type {T} */ (current);
      break;
    }
    current = at(document, reference);
  }
  throw new Error(`it refers to ${referenceOf(value)}, which it does not hold`);
}

/** @param {unknown} value */
export function referenceOf(value) {
  if (typeof value !== 'object' || value === null || !('$ref' in value)) return undefined;
  return typeof value.$ref === 'string' ? value.$ref : undefined;
}

/**
 * The last part of a reference, which is a component's name.
 *
 * @param {string} reference
 */
export function nameIn(reference) {
  return unescaped(reference.slice(reference.lastIndexOf('/') + 1));
}

/**
 * What a JSON Pointer (RFC 6901) in a fragment points to.
 *
 * @param {unknown} document
 * @param {string} reference
 */
function at(document, reference) {
  if (!reference.startsWith('#/')) return undefined;
  /** @type {unknown} */
  let current = document;
  for (const part of reference.slice(2).split('/').map(unescaped)) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return undefined;
    current = /** @type {Record<string, unknown>} */ (current)[part];
  }
  return current;
}

/** @param {string} part */
function unescaped(part) {
  return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
}

/**
 * All operations, in the document's order.
 *
 * @param {Description} document
 * @returns {Operation[]}
 */
export function operationsOf(document) {
  return Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method] !== undefined).map((method) => {
      const is = /** @type {OperationObject} */ (item[method]);
      const shared = /** @type {(Parameter | Reference)[]} */ (item.parameters ?? []);
      const own = (is.parameters ?? []).map((each) => resolve(document, each));
      const isOwn = (/** @type {Parameter} */ { name, in: place }) =>
        own.some((each) => each.name === name && each.in === place);
      const inherited = shared.map((each) => resolve(document, each)).filter((each) => !isOwn(each));
      const id = is.operationId ?? `${method}${path}`;
      const tag = is.tags?.[0] ?? '';
      return { id, method: method.toUpperCase(), path, tag, parameters: [...inherited, ...own], is };
    }),
  );
}

/**
 * The codes of the problem documents that operations answer, each with its status and with who answers so.
 *
 * @param {Description} document
 * @param {Operation[]} operations
 */
export function problemsOf(document, operations) {
  /** @type {Map<string, { code: string, status: string, operations: Operation[] }>} */
  const problems = new Map();
  for (const operation of operations) {
    for (const [status, given] of Object.entries(operation.is.responses ?? {})) {
      const { content } = resolve(document, given);
      for (const code of codesIn(document, content?.[PROBLEM]?.schema)) {
        const problem = problems.get(code) ?? { code, status, operations: [] };
        problems.set(code, problem);
        problem.operations.push(operation);
      }
    }
  }
  return [...problems.values()].sort((a, b) => a.status.localeCompare(b.status) || a.code.localeCompare(b.code));
}

/**
 * @param {Description} document
 * @param {Schema} [schema]
 * @returns {string[]}
 */
function codesIn(document, schema) {
  if (typeof schema !== 'object') return [];
  const { allOf = [], properties } = resolve(document, schema);
  const code = properties?.code;
  const values = typeof code === 'object' ? code.enum ?? (code.const === undefined ? [] : [code.const]) : [];
  // What is below refers to components, which are about all problems and name no codes.
  const parts = allOf.filter((part) => referenceOf(part) === undefined);
  return [...values.map(String), ...parts.flatMap((part) => codesIn(document, part))];
}

/**
 * What a fragment of the page's address can be.
 *
 * @param {string} kind
 * @param {string} name
 */
export function anchor(kind, name) {
  return `${kind}-${name.replaceAll(/[^\w.]+/g, '-').replaceAll(/^-|-$/g, '')}`;
}

/**
 * What a value of the schema has to keep to, beside its type.
 *
 * @param {Schema} schema
 * @returns {string[]}
 */
export function limitsOf(schema) {
  if (typeof schema === 'boolean') return [];
  return [
    range(schema.minimum, schema.maximum, ''),
    schema.exclusiveMinimum === undefined ? '' : `above ${number(schema.exclusiveMinimum)}`,
    schema.exclusiveMaximum === undefined ? '' : `below ${number(schema.exclusiveMaximum)}`,
    schema.multipleOf === undefined ? '' : `a multiple of ${number(schema.multipleOf)}`,
    range(schema.minLength, schema.maxLength, 'characters'),
    range(schema.minItems, schema.maxItems, 'items'),
    range(schema.minProperties, schema.maxProperties, 'members'),
    schema.uniqueItems ? 'no two alike' : '',
    schema.deprecated ? 'deprecated' : '',
  ].filter(Boolean);
}

/**
 * @param {number | undefined} least
 * @param {number | undefined} most
 * @param {string} unit
 */
function range(least, most, unit) {
  if (least === undefined && most === undefined) return '';
  const unitAfter = unit && ((most ?? least) === 1 ? ` ${unit.slice(0, -1)}` : ` ${unit}`);
  if (least === undefined) return `at most ${number(most)}${unitAfter}`;
  if (most === undefined) return `at least ${number(least)}${unitAfter}`;
  return least === most ? `${number(least)}${unitAfter}` : `${number(least)} to ${number(most)}${unitAfter}`;
}

/** @param {number | undefined} value */
function number(value) {
  return value?.toLocaleString('en', { maximumFractionDigits: 20 });
}
