/**
 * A schema as a person reads it: its type in words, what it is for, what it must keep to, its members. What it refers to
 * is a link and stands elsewhere, so that what refers to itself is drawn once.
 *
 * @import { Description, Media, Schema, SchemaObject } from './openapi.js'
 */

import { make } from './dom.js';
import { anchor, limitsOf, nameIn, resolve } from './openapi.js';

/** @param {Schema} schema */
export function newSchema(schema) {
  const parts = make('div', 'schema', make('p', 'type', ...typeOf(schema), ...restOf(schema)));
  if (typeof schema === 'boolean') return parts;
  parts.append(...prose(schema.description));
  if (schema.enum) parts.append(newChoices(schema.enum));
  parts.append(...membersOf(schema));
  for (const [words, schemas] of alternativesOf(schema)) {
    parts.append(make('p', 'note', words), newList(schemas));
  }
  const { items } = schema;
  if (items && isMore(items)) parts.append(make('p', 'note', 'Each of them:'), newSchema(items));
  for (const example of schema.examples?.slice(0, 1) ?? []) parts.append(newExample(example));
  return parts;
}

/**
 * Paragraphs, with what stands in backticks as code.
 *
 * @param {string} [text]
 */
export function prose(text = '') {
  const paragraphs = text.split(/\n\s*\n/).filter((paragraph) => paragraph.trim());
  return paragraphs.map((paragraph) => make('p', '', ...withCode(paragraph)));
}

/** @param {string} text */
export function withCode(text) {
  return text.split(/`([^`]+)`/).map((part, at) => (at % 2 === 1 ? make('code', '', part) : part));
}

/** @typedef {[term: (Node | string)[], meaning: (Node | string)[]]} Field */

/** @param {Field[]} fields */
export function newFields(fields) {
  const items = fields.map(([term, meaning]) => make('div', '', make('dt', '', ...term), make('dd', '', ...meaning)));
  return make('dl', 'fields', ...items);
}

/** @param {unknown} value */
export function newExample(value, title = 'Example') {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return make('figure', 'example', make('figcaption', 'note', title), make('pre', '', make('code', '', text)));
}

/**
 * What each media type carries.
 *
 * @param {Description} document
 * @param {Record<string, Media>} [content]
 */
export function newContent(document, content = {}) {
  return Object.entries(content).map(([type, media]) => {
    const part = make('div', 'media', make('h5', '', make('code', '', type)));
    if (media.schema !== undefined) part.append(newSchema(media.schema));
    if (media.example !== undefined) part.append(newExample(media.example));
    for (const [name, given] of Object.entries(media.examples ?? {})) {
      const { summary, description, value } = resolve(document, given);
      part.append(newExample(value, `Example: ${summary ?? description ?? name}`));
    }
    return part;
  });
}

/**
 * @param {Schema} schema
 * @returns {(Node | string)[]}
 */
function typeOf(schema) {
  if (schema === true) return ['anything'];
  if (schema === false) return ['nothing'];
  if (schema.$ref !== undefined) {
    const name = nameIn(schema.$ref);
    return [newLink('schema', name, name)];
  }
  if (schema.const !== undefined) return ['always ', newValue(schema.const)];
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives && !alternatives.some(isMore)) return joined(alternatives.map(typeOf), ' or ');
  const types = [schema.type ?? guessedType(schema)].flat();
  if (schema.items !== undefined && types.includes('array')) {
    const others = types.filter((type) => type !== 'array').map((type) => [type]);
    return joined([['array of ', ...typeOf(schema.items)], ...others], ' or ');
  }
  return [types.join(' or ') + (schema.format ? ` (${schema.format})` : '')];
}

/** @param {SchemaObject} schema */
function guessedType(schema) {
  if (schema.properties ?? schema.additionalProperties ?? schema.allOf) return 'object';
  if (schema.oneOf ?? schema.anyOf) return 'one of several';
  return schema.enum ? 'one of' : 'anything';
}

/**
 * Limits, pattern and default, which follow the type.
 *
 * @param {Schema} schema
 */
function restOf(schema) {
  /** @type {(Node | string)[]} */
  const rest = limitsOf(schema).flatMap((limit) => [', ', limit]);
  if (typeof schema === 'boolean') return rest;
  if (schema.pattern !== undefined) rest.push(', like ', newCode(schema.pattern));
  if (schema.default !== undefined) rest.push(', if not given ', newValue(schema.default));
  return rest;
}

/** @param {SchemaObject} schema */
function membersOf(schema) {
  const required = new Set(schema.required);
  /** @type {Field[]} */
  const fields = Object.entries(schema.properties ?? {}).map(([name, member]) => [
    [newCode(name), ...(required.has(name) ? [make('span', 'tag', 'required')] : [])],
    [newSchema(member)],
  ]);
  for (const [pattern, member] of Object.entries(schema.patternProperties ?? {})) {
    fields.push([['named like ', newCode(pattern)], [newSchema(member)]]);
  }
  const others = schema.additionalProperties;
  if (typeof others === 'object') fields.push([['any other name'], [newSchema(others)]]);
  const parts = fields.length > 0 ? [newFields(fields)] : [];
  return others === false ? [...parts, make('p', 'note', 'No other members.')] : parts;
}

/**
 * @param {SchemaObject} schema
 * @returns {[words: string, schemas: Schema[]][]}
 */
function alternativesOf({ oneOf, anyOf, allOf, prefixItems, not }) {
  /** @type {[string, Schema[] | undefined][]} */
  const all = [
    ['One of these:', oneOf?.some(isMore) ? oneOf : undefined],
    ['Any of these:', anyOf?.some(isMore) ? anyOf : undefined],
    ['All of these together:', allOf],
    ['In this order:', prefixItems],
    ['But not this:', not === undefined ? undefined : [not]],
  ];
  return all.flatMap(([words, schemas]) => (schemas ? [[words, schemas]] : []));
}

/**
 * Whether there is more to a schema than its type's words tell.
 *
 * @param {Schema} schema
 */
function isMore(schema) {
  if (typeof schema === 'boolean' || schema.$ref !== undefined) return false;
  return Object.keys(schema).some((key) => !['type', 'format', 'const', 'title'].includes(key));
}

/** @param {Schema[]} schemas */
function newList(schemas) {
  return make('ul', 'alternatives', ...schemas.map((schema) => make('li', '', newSchema(schema))));
}

/** @param {unknown[]} values */
function newChoices(values) {
  return make('p', 'choices', ...joined(values.map((value) => [newValue(value)]), ' · '));
}

/**
 * @param {string} kind
 * @param {string} name
 * @param {string} text
 */
export function newLink(kind, name, text) {
  const link = make('a', '', text);
  link.href = `#${anchor(kind, name)}`;
  return link;
}

/** @param {unknown} value */
function newValue(value) {
  return newCode(typeof value === 'string' ? value : JSON.stringify(value));
}

/** @param {string} text */
function newCode(text) {
  return make('code', '', text);
}

/**
 * All groups as one, with words between them.
 *
 * @param {(Node | string)[][]} groups
 * @param {string} between
 */
export function joined(groups, between) {
  return groups.flatMap((group, at) => (at === 0 ? group : [between, ...group]));
}
