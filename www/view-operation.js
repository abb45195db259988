/**
 * The chapters of the description: operations by their tags, what they need, the answers they share, the schemas.
 *
 * @import { Answer, Body, Description, Header, Operation } from './openapi.js'
 * @import { Reference, Security, SecurityScheme } from './openapi.js'
 * @import { Field } from './view-schema.js'
 */

import { make } from './dom.js';
import { anchor, nameIn, operationsOf, problemsOf, referenceOf, resolve } from './openapi.js';
import { joined, newContent, newExample, newFields, newLink, newSchema, prose, withCode } from './view-schema.js';

/**
 * @typedef {object} Chapter
 * @property {string} title
 * @property {string} [description]
 * @property {Entry[]} entries
 */
/**
 * @typedef {object} Entry
 * @property {string} name  What the contents say.
 * @property {HTMLElement} element  Its `id` is its anchor.
 */

/**
 * @param {Description} document
 * @returns {Chapter[]}
 */
export function chaptersOf(document) {
  const { schemas = {}, responses = {}, securitySchemes = {} } = document.components ?? {};
  const operations = operationsOf(document);
  return [
    ...operationChapters(document, operations),
    { title: 'Error codes', entries: newProblems(document, operations) },
    {
      title: 'Who may',
      entries: Object.entries(securitySchemes).map(([name, given]) =>
        newEntry('security', name, newScheme(resolve(document, given)))),
    },
    {
      title: 'Answers that many requests share',
      entries: Object.entries(responses).map(([name, given]) =>
        newEntry('response', name, newAnswer(document, resolve(document, given)))),
    },
    {
      title: 'Schemas',
      entries: Object.entries(schemas).map(([name, schema]) => newEntry('schema', name, [newSchema(schema)])),
    },
  ].filter(({ entries }) => entries.length > 0);
}

/**
 * One chapter for each tag: those that the document lists first, then those it does not.
 *
 * @param {Description} document
 * @param {Operation[]} operations
 * @returns {Chapter[]}
 */
function operationChapters(document, operations) {
  const listed = new Map((document.tags ?? []).map(({ name, description }) => [name, description]));
  const names = new Set([...listed.keys(), ...operations.map(({ tag }) => tag)]);
  return [...names].map((name) => ({
    title: name || 'Requests',
    description: listed.get(name),
    entries: operations.filter(({ tag }) => tag === name).map((operation) => newOperation(document, operation)),
  }));
}

/**
 * @param {Description} document
 * @param {Operation} operation
 * @returns {Entry}
 */
function newOperation(document, { id, method, path, parameters, is }) {
  /** @type {Node[]} */
  const parts = [
    ...(is.summary ? [make('p', 'summary', ...withCode(is.summary))] : []),
    ...(is.deprecated ? [make('p', 'note', 'Deprecated.')] : []),
    ...prose(is.description),
    newSecurity(is.security ?? document.security),
  ];
  if (parameters.length > 0) {
    const fields = parameters.map((each) => newField(each, each.in));
    parts.push(make('h4', '', 'Parameters'), newFields(fields));
  }
  if (is.requestBody) parts.push(make('h4', '', 'Body'), ...newBody(document, resolve(document, is.requestBody)));
  parts.push(make('h4', '', 'Answers'));
  for (const [status, given] of Object.entries(is.responses ?? {})) parts.push(newResponse(document, status, given));
  const title = [make('b', 'method', method), ' ', make('code', '', path)];
  return { name: `${method} ${path}`, element: newArticle(anchor('operation', id), title, parts) };
}

/**
 * Which codes there are, and who answers them.
 *
 * @param {Description} document
 * @param {Operation[]} operations
 * @returns {Entry[]}
 */
function newProblems(document, operations) {
  return problemsOf(document, operations).map(({ code, status, operations: answering }) => {
    const links = answering.map(({ id, method, path }) => newLink('operation', id, `${method} ${path}`));
    const isCommon = answering.length === operations.length;
    const who = isCommon ? ['Of every request.'] : ['Of ', ...joined(links.map((link) => [link]), ', '), '.'];
    return newEntry('problem', code, [make('p', 'note', `Status ${status}. `, ...who)]);
  });
}

/**
 * @param {Header & { name: string }} header  Or a parameter.
 * @param {string} place
 * @returns {Field}
 */
function newField({ name, required, deprecated, schema, content, description, example }, place) {
  const tags = [place, required ? 'required' : '', deprecated ? 'deprecated' : ''].filter(Boolean);
  const shape = schema ?? Object.values(content ?? {})[0]?.schema;
  const meaning = [
    ...prose(description),
    ...(shape === undefined ? [] : [newSchema(shape)]),
    ...(example === undefined ? [] : [newExample(example)]),
  ];
  return [[make('code', '', name), ...tags.map((tag) => make('span', 'tag', tag))], meaning];
}

/**
 * @param {Description} document
 * @param {Body} body
 */
function newBody(document, { description, required, content }) {
  const need = make('p', 'note', required ? 'Required.' : 'May be left out.');
  return [...prose(description), need, ...newContent(document, content)];
}

/**
 * An answer of an operation. What many operations share stands once, in its own chapter.
 *
 * @param {Description} document
 * @param {string} status
 * @param {Answer | Reference} given
 */
function newResponse(document, status, given) {
  const reference = referenceOf(given);
  const answer = resolve(document, given);
  const [first = '', ...others] = answer.description.split(/\n\s*\n/);
  const summary = make('summary', '', make('b', '', status), ' ', ...withCode(first));
  const element = make('details', 'answer', summary);
  element.open = reference === undefined && /^[23]/.test(status);
  if (reference === undefined) {
    element.append(...newAnswer(document, { ...answer, description: others.join('\n\n') }));
  } else {
    const name = nameIn(reference);
    element.append(make('p', '', 'As in ', newLink('response', name, name), '.'));
  }
  return element;
}

/**
 * @param {Description} document
 * @param {Answer} answer
 */
function newAnswer(document, { description, headers = {}, content }) {
  /** @type {Node[]} */
  const parts = prose(description);
  const fields = Object.entries(headers).map(([name, given]) => newField({ ...resolve(document, given), name }, 'header'));
  if (fields.length > 0) parts.push(newFields(fields));
  return [...parts, ...newContent(document, content)];
}

/** @param {SecurityScheme} scheme */
function newScheme({ type, scheme, bearerFormat, in: place, name, description }) {
  const words = [type, scheme, bearerFormat, place && `in ${place}`].filter(Boolean).join(', ');
  return [make('p', 'type', words, ...(name ? [' ', make('code', '', name)] : [])), ...prose(description)];
}

/** @param {Security} [security] */
function newSecurity(security = []) {
  const ways = security.map((way) => {
    const schemes = Object.entries(way).map(([name, scopes]) => {
      const link = newLink('security', name, name);
      return scopes.length > 0 ? [link, ` (${scopes.join(', ')})`] : [link];
    });
    return schemes.length > 0 ? joined(schemes, ' with ') : ['nothing'];
  });
  if (ways.length === 0) return make('p', 'note', 'Takes no credentials.');
  return make('p', 'note', 'Takes credentials: ', ...joined(ways, ' or '), '.');
}

/**
 * @param {string} kind
 * @param {string} name
 * @param {Node[]} parts
 * @returns {Entry}
 */
function newEntry(kind, name, parts) {
  return { name, element: newArticle(anchor(kind, name), [make('code', '', name)], parts) };
}

/**
 * @param {string} id
 * @param {(Node | string)[]} title
 * @param {Node[]} parts
 */
function newArticle(id, title, parts) {
  const link = make('a', '', ...title);
  link.href = `#${id}`;
  const article = make('article', 'entry', make('h3', '', link), ...parts);
  article.id = id;
  return article;
}
