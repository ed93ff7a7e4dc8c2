/**
 * Names in a web server's listing of a folder: what its links lead to, one level down. Apache, nginx, lighttpd and
 * Python's server all write `<a href="NAME/">`; nothing else of the page is read.
 */
export function parseListing(page: string): string[] {
  const names = new Set<string>();
  for (const [, link = ''] of page.matchAll(/<a\s[^>]*?href\s*=\s*["']([^"']*)["']/gi)) {
    const name = decode(link.replace(/^\.\//, '').replace(/\/$/, ''));
    if (name !== null && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) names.add(name);
  }
  return [...names].sort();
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
