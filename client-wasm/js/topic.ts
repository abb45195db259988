/** Which streams a topic names. The server says whether it is one. */

/** `*` stands for one segment, and `**` at the end for one or more. */
export function matches(topic: string, stream: string): boolean {
  const wanted = topic.split(':');
  const segments = stream.split(':');
  const isOpen = wanted.at(-1) === '**';
  if (isOpen) {
    wanted.pop();
  }
  return (
    (isOpen ? segments.length > wanted.length : segments.length === wanted.length) &&
    wanted.every((segment, at) => segment === '*' || segment === segments[at])
  );
}
