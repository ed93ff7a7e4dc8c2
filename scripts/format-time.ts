/** `2026-11-28 01:39 UTC`, as a person reads it; data (`--json`, files) keep ISO 8601. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
