/** Places in the log, `epoch-sequence`. Pure. */

/**
 * Whether one place lies before another. Of two logs, neither lies before the other.
 *
 * @param {string} one
 * @param {string} other
 */
export function isBefore(one, other) {
  const [a, b] = [parse(one), parse(other)];
  return a !== undefined && b !== undefined && a.epoch === b.epoch && a.sequence < b.sequence;
}

/**
 * The earliest of these places.
 *
 * @param {string[]} positions
 */
export function earliest(positions) {
  return positions.reduce((first, position) => (isBefore(position, first) ? position : first));
}

/** @param {string} position */
function parse(position) {
  const parts = /^([^-]+)-(\d+)$/.exec(position);
  return parts ? { epoch: parts[1], sequence: Number(parts[2]) } : undefined;
}
