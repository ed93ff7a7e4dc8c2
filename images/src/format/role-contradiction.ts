import type { ImageManifest } from './image-manifest.ts';

/**
 * Is a station a domain controller? What it is registered as and what the Windows on its disks says (ProductType) have
 * to agree: the rules that keep a controller from a USN rollback hang on it. Undefined: they do, or no Windows says
 * anything. Pure.
 */
export function roleContradiction({
  station,
  stationRole,
  windows,
}: Pick<ImageManifest, 'station' | 'stationRole' | 'windows'>): string | undefined {
  if (windows === undefined || windows.role === 'unknown') return undefined;
  const [registered, found] = [stationRole, windows.role].map((role) => role === 'domain-controller');
  if (registered === found) return undefined;
  return `${station} is registered as ${stationRole}, the Windows on its disks is that of a ${words[windows.role]}`;
}

/** A warning for whoever takes the image. */
export function warnOfRole(
  facts: Pick<ImageManifest, 'station' | 'stationRole' | 'windows'>,
): string | undefined {
  const contradiction = roleContradiction(facts);
  if (contradiction === undefined) return undefined;
  return `${contradiction}: this image will not be restored over the network. ${correctRole(facts)} Then capture it again`;
}

/** What puts the registration right. */
export function correctRole({ station, windows }: Pick<ImageManifest, 'station' | 'windows'>): string {
  return windows?.role === 'domain-controller'
    ? `Register it as what it is (rekindle station set ${station} --role domain-controller) and give it a hook plan (docs/domain.md).`
    : `If it is no domain controller any more, say so (rekindle station set ${station} --role server) and take the hook domain-controller out of its plan.`;
}

const words = {
  workstation: 'workstation',
  server: 'server',
  'domain-controller': 'domain controller',
  unknown: 'system that is not known',
} as const;
