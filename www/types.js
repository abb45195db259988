/**
 * The shapes that the page's modules hand to each other. Nothing here runs.
 *
 * @typedef {object} CloudEvent  An event as the server sends it; only what the page reads is named.
 * @property {string} [id]
 * @property {string} [source]
 * @property {string} type
 * @property {string} subject  The stream.
 * @property {string} [time]
 * @property {number} revision
 * @property {number} [version]
 * @property {unknown} [data]
 *
 * @typedef {object} Header  What is known of an event before its data is read.
 * @property {string} stream
 * @property {number} revision
 * @property {number} version
 * @property {string} type
 * @property {string} time
 *
 * @typedef {object} Bug  A report of a failure that nobody has answered yet.
 * @property {string} id
 * @property {number} version  The version that it is about.
 * @property {string} text
 *
 * @typedef {object} State  What one side shows of one stream.
 * @property {'task' | 'other'} kind
 * @property {number} revision  Of the event applied last.
 * @property {number} version
 * @property {string} type
 * @property {string} time
 * @property {string} phase  Where a task stands, in words.
 * @property {string} purpose  What a task's code is for.
 * @property {string} code
 * @property {string} codeBefore
 * @property {Bug[]} bugs
 * @property {string} text  The data of the event applied last, shortened; empty for a task.
 *
 * @typedef {'applied' | 'stale' | 'duplicate' | 'gap' | 'reset' | 'unreadable' | 'lost'} Verdict
 *
 * @typedef {object} Difference  One thing that the left side shows and the right side does not.
 * @property {'version' | 'code' | 'bugs' | 'phase' | 'behind' | 'last'} where
 * @property {string} why  In words.
 */

export {};
