const fullCodes = new Set(['ENOSPC', 'EDQUOT']);

/** Whether an error, or a cause of it, says that the file system or the quota is full. */
export function isStoreFull(error: unknown): boolean {
  for (let link = error; link instanceof Error; link = link.cause) {
    if ('code' in link && typeof link.code === 'string' && fullCodes.has(link.code)) return true;
  }
  return false;
}
