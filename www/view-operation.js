/**
 * The chapters of the description: operations by their tags, what they need, the answers they share, the schemas.
 *
 * @import { Answer, Body, Description, Header, Operation, Parameter, Reference, Security, SecurityScheme } from './openapi.js'
 */

import { make } from './dom.js';
import { anchor, nameIn, operationsOf, referenceOf, resolve } from './openapi.js';
import { newContent, newExample, newFields, newSchema, prose, withCode } from './view-schema.js';

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
  return [
    ...operationChapters(document),
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
 * @returns {Chapter[]}
 */
function operationChapters(document) {
  const operations = operationsOf(document);
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
    parts.push(make('h4', '', 'Parameters'), newFields(parameters.map((each) => [newTerm(each, each.in), newMeaning(each)])));
  }
  if (is.requestBody) parts.push(make('h4', '', 'Body'), ...newBody(document, resolve(document, is.requestBody)));
  parts.push(make('h4', '', 'Answers'));
  for (const [status, given] of Object.entries(is.responses ?? {})) parts.push(newResponse(document, status, given));
  const title = [make('b', 'method', method), ' ', make('code', '', path)];
  return { name: `${method} ${path}`, element: newArticle(anchor('operation', id), title, parts) };
}

/**
 * @param {Parameter | (Header & { name: string })} parameter
 * @param {string} place
 */
function newTerm({ name, required, deprecated }, place) {
  const tags = [place, required ? 'required' : '', deprecated ? 'deprecated' : ''].filter(Boolean);
  return [make('code', '', name), ...tags.map((tag) => make('span', 'tag', tag))];
}

/** @param {Header} header */
function newMeaning({ schema, content, description, example }) {
  const shape = schema ?? Object.values(content ?? {})[0]?.schema;
  return [
    ...prose(description),
    ...(shape === undefined ? [] : [newSchema(shape)]),
    ...(example === undefined ? [] : [newExample(example)]),
  ];
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
    const link = make('a', '', nameIn(reference));
    link.href = `#${anchor('response', nameIn(reference))}`;
    element.append(make('p', '', 'Shared: ', link));
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
  const fields = Object.entries(headers).map(([name, given]) => ({ ...resolve(document, given), name }));
  if (fields.length > 0) {
    parts.push(newFields(fields.map((each) => [newTerm(each, 'header'), newMeaning(each)])));
  }
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
      const link = make('a', '', name);
      link.href = `#${anchor('security', name)}`;
      return scopes.length > 0 ? [link, ` (${scopes.join(', ')})`] : [link];
    });
    return schemes.length > 0 ? schemes.flatMap((scheme, at) => (at === 0 ? scheme : [' with ', ...scheme])) : ['nothing'];
  });
  if (ways.length === 0) return make('p', 'note', 'Anybody may.');
  return make('p', 'note', 'Takes ', ...ways.flatMap((way, at) => (at === 0 ? way : [' or ', ...way])), '.');
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
