import type { ImagedWindows } from '#images/format/image-manifest.ts';

/** What an image says of its Windows when that is a domain controller. */
export const controllerFactsOf = (computerName: string): ImagedWindows => ({
  ...{ product: '', edition: '', build: '', computerName, domain: 'plant.example', sqlInstances: [] },
  role: 'domain-controller',
});
